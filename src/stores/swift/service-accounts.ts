// Data in accounts of the service: one that is written to, and others whose locations are read and removed.
import { type Containers, containerOf, isContainerOf } from "./containers.ts";
import { SwiftClient } from "./swift-client.ts";
import { parseSwiftLocation, type SwiftLocation, swiftUrl } from "./swift-location.ts";
import type { SwiftAccess } from "./swift-login.ts";
import { notFound, type SwiftPlace, type SwiftPlaces, type SwiftTarget } from "./swift-places.ts";

export type ServiceAccountsOptions = {
  /** The first is where data goes; locations of the others are read and removed. */
  readonly accesses: readonly [SwiftAccess, ...SwiftAccess[]];
  readonly containers: Containers;
  readonly createContainer: boolean;
};

export class ServiceAccounts implements SwiftPlaces {
  readonly users = null;
  readonly createsContainers: boolean;
  readonly #options: ServiceAccountsOptions;
  readonly #clients: ReadonlyMap<string, SwiftClient>;

  constructor(options: ServiceAccountsOptions) {
    this.#options = options;
    this.createsContainers = options.createContainer;
    this.#clients = new Map(options.accesses.map((access) => [access.reference.name, new SwiftClient(access)]));
  }

  owns(url: string): boolean {
    const location = this.#parse(url);
    return location !== undefined && isContainerOf(this.#options.containers, location.container, location.key);
  }

  target(key: string): SwiftTarget {
    const { accesses, containers } = this.#options;
    const { reference } = accesses[0];
    const container = containerOf(containers, key);
    return { client: this.#clientOf(reference.name), container, url: swiftUrl({ reference, container, key }) };
  }

  async find(url: string): Promise<SwiftPlace> {
    const location = this.#parse(url);
    if (!location) throw notFound(url);
    const { reference, container, key } = location;
    return { client: this.#clientOf(reference.name), container, key };
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #parse(url: string): SwiftLocation | undefined {
    return parseSwiftLocation(
      url,
      this.#options.accesses.map(({ reference }) => reference),
    );
  }

  #clientOf(name: string): SwiftClient {
    const client = this.#clients.get(name);
    if (!client) throw new Error(`no client of reference ${name}`);
    return client;
  }
}
