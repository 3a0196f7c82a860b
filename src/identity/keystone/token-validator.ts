// Whether a token is valid and whose it is, by Keystone's word, which is remembered for a while. Requests that come with one token at the same
// time ask once.
import { hash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import { unavailable } from "./keystone-client.ts";
import { Recent } from "./recent.ts";
import type { ServiceSession } from "./service-session.ts";
import { type TokenCaller, tokenFacts } from "./token.ts";

/** undefined: not a valid token. */
export type Verdict = TokenCaller | undefined;

const tokensMax = 10_000;
/** Tokens that were refused are kept apart, so that made-up ones push no true ones out. */
const refusedMax = 1_000;
/** A token may become known to a Keystone that has just got the key it was made with. */
const refusedMsMax = 5_000;
/** Different tokens that wait for Keystone; beyond that it is too slow for the load, and waiting helps nobody. */
const askedMax = 1_000;

export class TokenValidator {
  readonly #session: Pick<ServiceSession, "call">;
  readonly #clock: Clock;
  readonly #cacheMs: number;
  readonly #known = new Recent<TokenCaller>(tokensMax);
  readonly #refused = new Recent<true>(refusedMax);
  readonly #asked = new Map<string, Promise<Verdict>>();

  constructor(deps: { session: Pick<ServiceSession, "call">; clock: Clock; cacheMs: number }) {
    this.#session = deps.session;
    this.#clock = deps.clock;
    this.#cacheMs = deps.cacheMs;
  }

  /**
   * At once where it is remembered. `allowExpired`: a service vouches for a token that may have expired since its user's request began; Keystone
   * says for how long. Throws (rejects with) identity.unavailable where Keystone does not say.
   */
  validate(token: string, options: { allowExpired: boolean } = { allowExpired: false }): Verdict | Promise<Verdict> {
    // Tokens themselves are kept nowhere.
    const key = `${options.allowExpired ? "late" : ""}${hash("sha256", token, "base64")}`;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(key, nowMs);
    if (known) return known;
    if (this.#refused.get(key, nowMs)) return undefined;
    const asked = this.#asked.get(key);
    if (asked) return asked;
    if (this.#asked.size >= askedMax) throw tooMany();
    const asking = this.#ask(token, key, options.allowExpired).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #ask(token: string, key: string, allowExpired: boolean): Promise<Verdict> {
    const path = `/auth/tokens?nocatalog${allowExpired ? "&allow_expired=1" : ""}`;
    const answer = await this.#session.call(path, { "x-subject-token": token });
    const asked = { method: "GET", url: path } as const;
    if (answer.status === 403)
      throw unavailable(asked, "it lets the service's user not validate tokens; give it the role admin or service");
    const ofToken = answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429;
    if (ofToken) {
      this.#refused.set(key, true, this.#clock.monotonicMs() + Math.min(refusedMsMax, this.#cacheMs));
      return undefined;
    }
    const facts = answer.status === 200 ? tokenFacts(answer.body) : undefined;
    if (!facts) throw unavailable(asked, `its answer (${answer.status}) was not about a token`);
    const leftMs = facts.expiresMs - this.#clock.nowMs();
    const keptMs = allowExpired ? this.#cacheMs : Math.min(this.#cacheMs, leftMs);
    if (keptMs > 0) this.#known.set(key, facts.caller, this.#clock.monotonicMs() + keptMs);
    return facts.caller;
  }
}

function tooMany(): ServiceError {
  return new ServiceError("identity.unavailable", `Keystone has yet to answer for ${askedMax} other tokens.`);
}
