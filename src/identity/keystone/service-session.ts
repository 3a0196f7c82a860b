// The service's own standing with Keystone: its token, renewed before it expires and whenever Keystone does not know it any more, by one call
// at a time; and the endpoint at which Keystone is asked, from the catalog that came with the token.
import type { Clock } from "../../core/clock.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { type Credentials, v3Url } from "./credentials.ts";
import { type KeystoneAnswer, type KeystoneClient, unavailable } from "./keystone-client.ts";
import { tokenFacts } from "./token.ts";

type CatalogEntry = {
  readonly type?: unknown;
  readonly endpoints?: readonly {
    readonly interface?: unknown;
    readonly region_id?: unknown;
    readonly region?: unknown;
    readonly url?: unknown;
  }[];
};

type OwnToken = {
  readonly id: string;
  /** On the clock that never goes back. */
  readonly receivedMs: number;
  readonly lifetimeMs: number;
  readonly endpoint: string;
};

/** How long before its expiry a token is renewed, where it lives long enough; a shorter one at three quarters of its life. */
const renewAheadMs = 120_000;
/** After a failure the next attempt waits this long: wrong credentials, asked again with each request, would lock the user out. */
const failureHeldMs = 1_000;

export class ServiceSession {
  readonly #settings: Credentials;
  readonly #client: KeystoneClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #token: OwnToken | null = null;
  #renewal: Promise<OwnToken> | null = null;
  #failure: { readonly error: unknown; readonly untilMs: number } | null = null;
  #lacksEndpoint = false;

  constructor(deps: { settings: Credentials; client: KeystoneClient; clock: Clock; logger: Logger }) {
    this.#settings = deps.settings;
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /**
   * A call of Keystone's API as the service; `path` begins with a slash, below /v3. Where the service's token is refused it is renewed and the call
   * made again, once. Throws identity.unavailable, also where the service's credentials are refused.
   */
  async call(path: string, headers: Readonly<Record<string, string>> = {}): Promise<KeystoneAnswer> {
    const token = await this.#current();
    const answer = await this.#ask(token, path, headers);
    if (answer.status !== 401) return answer;
    if (this.#token === token) this.#token = null;
    const renewed = await this.#current();
    const second = await this.#ask(renewed, path, headers);
    if (second.status !== 401) return second;
    throw unavailable({ method: "GET", url: renewed.endpoint }, "it refuses a token that it has just issued");
  }

  /** The same as somebody else, whose token it is; what is refused is theirs to know. Throws identity.unavailable. */
  async callAs(token: string, path: string): Promise<KeystoneAnswer> {
    const { endpoint } = await this.#current();
    return this.#client.call({ method: "GET", url: `${endpoint}${path}`, headers: { "x-auth-token": token } });
  }

  #ask(token: OwnToken, path: string, headers: Readonly<Record<string, string>>): Promise<KeystoneAnswer> {
    const url = `${token.endpoint}${path}`;
    return this.#client.call({ method: "GET", url, headers: { ...headers, "x-auth-token": token.id } });
  }

  async #current(): Promise<OwnToken> {
    const token = this.#token;
    if (token === null) return this.#renew();
    const ageMs = this.#clock.monotonicMs() - token.receivedMs;
    if (ageMs >= token.lifetimeMs) return this.#renew();
    // Those who ask meanwhile go on with the old one; a failure is tried again by the next, and logged by #renew.
    if (ageMs >= token.lifetimeMs - Math.min(renewAheadMs, token.lifetimeMs / 4)) this.#renew().catch(() => undefined);
    return token;
  }

  #renew(): Promise<OwnToken> {
    if (this.#renewal) return this.#renewal;
    const failure = this.#failure;
    if (failure && this.#clock.monotonicMs() < failure.untilMs) return Promise.reject(failure.error);
    this.#renewal = this.#authenticate()
      .then((token) => {
        this.#token = token;
        this.#failure = null;
        return token;
      })
      .catch((error) => {
        this.#failure = { error, untilMs: this.#clock.monotonicMs() + failureHeldMs };
        this.#logger.error({ error: errorText(error) }, "the service got no token of its own from Keystone");
        throw error;
      })
      .finally(() => {
        this.#renewal = null;
      });
    return this.#renewal;
  }

  async #authenticate(): Promise<OwnToken> {
    const { authUrl, credentials, section } = this.#settings;
    const call = { method: "POST", url: `${authUrl}/auth/tokens`, body: credentials } as const;
    const answer = await this.#client.call(call);
    if (answer.status === 401 || answer.status === 403)
      throw unavailable(call, `it refuses the credentials of [${section}] (${answer.status})`);
    const id = answer.header("x-subject-token");
    const facts = tokenFacts(answer.body);
    if (answer.status !== 201 || !id || !facts)
      throw unavailable(call, `its answer (${answer.status}) was no token; is [${section}] auth_url a Keystone v3?`);
    const token = (answer.body as { token: { issued_at?: unknown; catalog?: unknown } }).token;
    const issuedMs = typeof token.issued_at === "string" ? Date.parse(token.issued_at) : Number.NaN;
    // By Keystone's clock alone, so that it need not agree with ours.
    const lifetimeMs = facts.expiresMs - (Number.isNaN(issuedMs) ? this.#clock.nowMs() : issuedMs);
    const catalog = Array.isArray(token.catalog) ? (token.catalog as readonly CatalogEntry[]) : [];
    return { id, receivedMs: this.#clock.monotonicMs(), lifetimeMs, endpoint: this.#endpointOf(catalog) };
  }

  /** Keystone's own endpoint of the operator's interface and region, or else where the token came from. */
  #endpointOf(catalog: readonly CatalogEntry[]): string {
    const { interface: face, region, authUrl } = this.#settings;
    const endpoints = catalog.filter((entry) => entry?.type === "identity").flatMap((entry) => entry.endpoints ?? []);
    const found = endpoints.find(
      (one) => one.interface === face && (region === null || one.region_id === region || one.region === region),
    );
    try {
      if (typeof found?.url === "string") return v3Url(found.url, this.#settings.section);
    } catch (error) {
      if (!isServiceError(error)) throw error;
    }
    if (!this.#lacksEndpoint)
      this.#logger.warn(
        { interface: face, region },
        "Keystone's catalog names no endpoint of its own for this interface and region: auth_url is asked",
      );
    this.#lacksEndpoint = true;
    return authUrl;
  }
}
