// Who the store is to Swift: a token and the account's URL, from Swift's own authentication (version 1) or from Keystone (version 3).
import { ServiceError } from "../../core/errors.ts";
import { discard, type HttpClient, textOf } from "../wire/http-client.ts";

/** An account of swift_store_config_file, or of the options. */
export type SwiftReference = {
  readonly name: string;
  readonly authAddress: URL;
  readonly authVersion: "1" | "3";
  /** Version 1: as the server wants it, such as `account:user`. Version 3: `project:user`. */
  readonly user: string;
  readonly key: string;
  readonly projectDomain: Readonly<Record<string, string>>;
  readonly userDomain: Readonly<Record<string, string>>;
};

export type CatalogChoice = {
  readonly serviceType: string;
  /** `public`, `internal` or `admin`. */
  readonly interface: string;
  /** null: any. */
  readonly region: string | null;
};

export type SwiftSession = {
  readonly token: string;
  readonly storageUrl: string;
  /** All that Keystone's catalog has of the service, of whatever kind and region; by version 1 only that. */
  readonly endpoints: readonly string[];
  /** The id of the project that the token is for; null by version 1. */
  readonly projectId: string | null;
  readonly expiresMs: number;
};

/** Tokens of version 1 do not tell their end; one that was refused is replaced whenever that is. */
const sessionMsMax = 3_600_000;

/** Throws stores.read_only where the account is refused, stores.unavailable. */
export async function openSession(
  http: HttpClient,
  reference: SwiftReference,
  choice: CatalogChoice,
): Promise<SwiftSession> {
  return reference.authVersion === "1"
    ? await sessionOfSwift(http, reference)
    : await sessionOfKeystone(http, reference, choice);
}

async function sessionOfSwift(http: HttpClient, { authAddress, user, key }: SwiftReference): Promise<SwiftSession> {
  const headers = () => ({ "x-auth-user": user, "x-auth-key": key });
  const reply = await http.request({ method: "GET", url: authAddress, headers });
  discard(reply);
  const { "x-auth-token": token, "x-storage-url": storageUrl } = reply.headers;
  if (reply.status >= 300 || typeof token !== "string" || typeof storageUrl !== "string")
    throw refused(authAddress, reply.status);
  return { token, storageUrl, endpoints: [storageUrl], projectId: null, expiresMs: Date.now() + sessionMsMax };
}

async function sessionOfKeystone(
  http: HttpClient,
  reference: SwiftReference,
  choice: CatalogChoice,
): Promise<SwiftSession> {
  const { authAddress, user, key, userDomain, projectDomain } = reference;
  const colon = user.indexOf(":");
  const person = { name: user.slice(colon + 1), password: key, domain: userDomain };
  const auth = {
    identity: { methods: ["password"], password: { user: person } },
    scope: { project: { name: user.slice(0, colon), domain: projectDomain } },
  };
  const url = new URL(`${authAddress.href.replace(/\/+$/, "")}/auth/tokens`);
  const body = [Buffer.from(JSON.stringify({ auth }))];
  const reply = await http.request({
    method: "POST",
    url,
    headers: () => ({ "content-type": "application/json" }),
    body,
  });
  const text = await textOf(reply);
  const token = reply.headers["x-subject-token"];
  if (reply.status >= 300 || typeof token !== "string") throw refused(authAddress, reply.status);
  const { expiresAt, storageUrl, endpoints, projectId } = readToken(text, choice);
  if (storageUrl === undefined)
    throw new ServiceError(
      "stores.unavailable",
      `Keystone's catalog has no ${choice.interface} endpoint of type ${choice.serviceType}.`,
      {
        facts: { authAddress: authAddress.href, region: choice.region },
      },
    );
  const expiresMs = Math.min(Date.parse(expiresAt) || Number.POSITIVE_INFINITY, Date.now() + sessionMsMax);
  return { token, storageUrl, endpoints, projectId, expiresMs };
}

type Token = {
  readonly expires_at?: string;
  readonly project?: { readonly id?: string };
  readonly catalog?: readonly {
    readonly type?: string;
    readonly endpoints?: readonly { readonly interface?: string; readonly region?: string; readonly url?: string }[];
  }[];
};

type ReadToken = Pick<SwiftSession, "endpoints" | "projectId"> & {
  readonly expiresAt: string;
  readonly storageUrl: string | undefined;
};

function readToken(text: string, choice: CatalogChoice): ReadToken {
  let token: Token;
  try {
    token = (JSON.parse(text) as { token?: Token }).token ?? {};
  } catch (error) {
    throw new ServiceError("stores.unavailable", "Keystone's answer is no JSON.", { cause: error });
  }
  const endpoints = (token.catalog ?? [])
    .filter(({ type }) => type === choice.serviceType)
    .flatMap((one) => one.endpoints ?? []);
  const found = endpoints.find(
    (one) => one.interface === choice.interface && (choice.region === null || one.region === choice.region),
  );
  return {
    expiresAt: token.expires_at ?? "",
    storageUrl: found?.url,
    endpoints: endpoints.flatMap(({ url }) => url ?? []),
    projectId: token.project?.id ?? null,
  };
}

function refused({ href }: URL, status: number): ServiceError {
  const code = status === 401 || status === 403 ? "stores.read_only" : "stores.unavailable";
  return new ServiceError(code, `${href} answered ${status} to the account of the swift store.`, { facts: { status } });
}
