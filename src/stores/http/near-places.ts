// Where locations of clients' choosing must not lead: loopback, link-local and the like, however they are written, and whatever a name resolves
// to. Names are looked up once and connected to by the address that was looked at, so that a name cannot lead elsewhere in between.
import { lookup as resolve } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { canonicalAddress, leadsOutside } from "../../core/addresses.ts";
import { ServiceError } from "../../core/errors.ts";

/** `allowed`: hosts, names or addresses, that may be near. */
export class NearPlaces {
  readonly #allowed: ReadonlySet<string>;

  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map(plain));
  }

  /** For hosts that are addresses already, which are never looked up. Throws stores.blob_not_found. */
  requireOutside(hostname: string): void {
    const address = canonicalAddress(hostname);
    if (address !== undefined && !this.#permits(address, hostname)) throw near(hostname);
  }

  readonly lookup: LookupFunction = (name, { family, all }, done) => {
    const only = family === 6 || family === "IPv6" ? 6 : family === 4 || family === "IPv4" ? 4 : 0;
    resolve(name, { all: true, family: only }).then(
      (found) => {
        const outside = found.filter(({ address }) => this.#permits(canonicalAddress(address) ?? address, name));
        const [first] = outside;
        if (!first) done(near(name), []);
        else if (all) done(null, outside);
        else done(null, first.address, first.family);
      },
      (error) => done(error, []),
    );
  };

  #permits(address: string, host: string): boolean {
    return leadsOutside(address) || this.#allowed.has(plain(host)) || this.#allowed.has(plain(address));
  }
}

function plain(host: string): string {
  return canonicalAddress(host) ?? host.toLowerCase();
}

function near(host: string): ServiceError {
  return new ServiceError(
    "stores.blob_not_found",
    `The location leads to ${host}, which is this machine or its own network: [perennial] http_store_near_hosts does not list it.`,
    { facts: { host } },
  );
}
