// Data in accounts of the users: each image in a container of its own, in the account of the project that owns it. All is done by the service's
// own token, whose role lets it into every account (Swift's reseller_admin_role): a token of whoever asks would be gone when an import ends,
// when a dead node is cleaned up behind, or when the scrubber comes. It goes nowhere but to endpoints of Keystone's catalog.
import assert from "node:assert/strict";
import { ServiceError } from "../../core/errors.ts";
import type { SwiftSession } from "./swift-auth.ts";
import { SwiftClient } from "./swift-client.ts";
import type { SwiftAccess } from "./swift-login.ts";
import { notFound, type SwiftPlace, type SwiftPlaces, type SwiftTarget, type SwiftUsers } from "./swift-places.ts";

export type UserAccountsOptions = {
  /** By Keystone. */
  readonly access: SwiftAccess;
  /** The beginning of the containers' names. */
  readonly container: string;
  readonly adminProjects: readonly string[];
};

type Parsed = { readonly accountUrl: string; readonly container: string; readonly key: string };

export class UserAccounts implements SwiftPlaces, SwiftUsers {
  readonly createsContainers = true;
  readonly users: SwiftUsers = this;
  readonly adminProjects: readonly string[];
  readonly #client: SwiftClient;
  readonly #options: UserAccountsOptions;
  /** Where new data goes; null: whose it will be is not known yet. */
  readonly #accountUrl: string | null;

  constructor(
    options: UserAccountsOptions,
    within: { readonly client: SwiftClient; readonly accountUrl: string } | null = null,
  ) {
    this.adminProjects = options.adminProjects;
    this.#options = options;
    this.#client = within?.client ?? new SwiftClient(options.access);
    this.#accountUrl = within?.accountUrl ?? null;
  }

  owns(url: string): boolean {
    return this.#parse(url) !== undefined;
  }

  target(key: string): SwiftTarget {
    const accountUrl = this.#accountUrl;
    assert(accountUrl !== null, "data goes into the account of a project: ask for it within that");
    const container = `${this.#options.container}_${key}`;
    const url = `swift+${accountUrl}/${container}/${key}`;
    return { client: this.#client.of(accountUrl), container, url };
  }

  async find(url: string): Promise<SwiftPlace> {
    const { accountUrl, container, key } = await this.#located(url);
    return { client: this.#client.of(accountUrl), container, key };
  }

  async within(where: { readonly project: string | null } | { readonly url: string }): Promise<SwiftPlaces> {
    const accountUrl =
      "url" in where ? (await this.#located(where.url)).accountUrl : await this.#accountOf(where.project);
    return new UserAccounts(this.#options, { client: this.#client, accountUrl });
  }

  close(): void {
    this.#client.close();
  }

  async #accountOf(project: string | null): Promise<string> {
    const session = await this.#client.session();
    const beginning = beginningOf(session, session.storageUrl);
    if (beginning === undefined)
      throw new ServiceError(
        "stores.unavailable",
        `The endpoint ${session.storageUrl} of Swift does not end with the id of the service's project: swift_store_multi_tenant needs accounts that are named after projects (AUTH_%(project_id)s in Keystone's catalog).`,
      );
    if (project === null) return plain(session.storageUrl);
    if (!isProject(project))
      throw new ServiceError("stores.read_only", `Project ${project.slice(0, 80)} cannot have an account in Swift.`);
    return `${beginning}${project}`;
  }

  /** Throws stores.blob_not_found, also where the service's token has no business. */
  async #located(url: string): Promise<Parsed> {
    const parsed = this.#parse(url);
    if (!parsed) throw notFound(url);
    const session = await this.#client.session();
    for (const endpoint of session.endpoints) {
      const beginning = beginningOf(session, endpoint);
      if (beginning === undefined || !parsed.accountUrl.startsWith(beginning)) continue;
      if (isProject(parsed.accountUrl.slice(beginning.length))) return parsed;
    }
    throw notFound(url);
  }

  #parse(url: string): Parsed | undefined {
    const [, scheme = "", account = "", container, key] =
      /^swift(\+https?)?:\/\/([^@?#\s]+)\/([^/@?#\s]+)\/([\w-]{1,255})$/i.exec(url) ?? [];
    if (key === undefined || container !== `${this.#options.container}_${key}`) return undefined;
    return { accountUrl: `${scheme.toLowerCase() === "+http" ? "http" : "https"}://${account}`, container, key };
  }
}

/** What the URLs of all accounts begin with; undefined where the endpoint is not of an account that is named after its project. */
function beginningOf({ projectId }: SwiftSession, endpoint: string): string | undefined {
  const url = plain(endpoint);
  return projectId !== null && url.endsWith(projectId) ? url.slice(0, -projectId.length) : undefined;
}

function plain(url: string): string {
  return url.replace(/\/+$/, "");
}

function isProject(text: string): boolean {
  return /^[\w-]{1,255}$/.test(text);
}
