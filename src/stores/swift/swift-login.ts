// One login of the service, shared by all who ask with it: a token, renewed before it ends and when it is refused, and the connections.
import { HttpClient } from "../wire/http-client.ts";
import { type CatalogChoice, openSession, type SwiftReference, type SwiftSession } from "./swift-auth.ts";

export type SwiftAccess = {
  readonly reference: SwiftReference;
  readonly choice: CatalogChoice;
  /** In the place of what authentication tells; null: that. */
  readonly endpoint: string | null;
  readonly ca?: Buffer;
  readonly insecure: boolean;
};

/** Before its end a token is not used any more: a segment may take so long. */
const spareMs = 300_000;

export class SwiftLogin {
  readonly access: SwiftAccess;
  readonly http: HttpClient;
  #session: Promise<SwiftSession> | undefined;

  constructor(access: SwiftAccess) {
    this.access = access;
    this.http = new HttpClient({ insecure: access.insecure, ...(access.ca ? { ca: access.ca } : {}) });
  }

  /** One session for all who ask at once; one that could not be had is tried again by the next. */
  async session(): Promise<SwiftSession> {
    const standing = await this.#session?.catch(() => undefined);
    if (standing && standing.expiresMs - spareMs > Date.now()) return standing;
    const opening = openSession(this.http, this.access.reference, this.access.choice);
    this.#session = opening;
    opening.catch(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    return await opening;
  }

  /** Its token was refused: the next one who asks gets another. */
  forget(): void {
    this.#session = undefined;
  }
}
