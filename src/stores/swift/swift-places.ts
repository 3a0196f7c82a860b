// Where in Swift the data of images lies, as the store asks for it: in accounts of the service (service-accounts.ts), or of its users
// (user-accounts.ts).
import { ServiceError } from "../../core/errors.ts";
import { withoutSecrets } from "../registry.ts";
import type { SwiftClient } from "./swift-client.ts";

export type SwiftTarget = { readonly client: SwiftClient; readonly container: string; readonly url: string };

export type SwiftPlace = { readonly client: SwiftClient; readonly container: string; readonly key: string };

export interface SwiftPlaces {
  /** As far as the URL tells. */
  owns(url: string): boolean;
  /** Where new data of this key goes. */
  target(key: string): SwiftTarget;
  /** What a URL means. Throws stores.blob_not_found where it is none of these places, stores.unavailable. */
  find(url: string): Promise<SwiftPlace>;
  /** Missing containers are made. */
  readonly createsContainers: boolean;
  /** In accounts of users each image has a container, which goes with it, and which others may be let read; null elsewhere. */
  readonly users: SwiftUsers | null;
  close(): void;
}

export interface SwiftUsers {
  /** Projects that may write into the containers. */
  readonly adminProjects: readonly string[];
  /** The places as they are for new data of one project (null: the service's own), or of what will lie under a URL. Throws as `find`. */
  within(where: { readonly project: string | null } | { readonly url: string }): Promise<SwiftPlaces>;
}

export function notFound(url: string): ServiceError {
  return new ServiceError("stores.blob_not_found", "There is no such data in this Swift store.", {
    facts: { url: withoutSecrets(url) },
  });
}
