// The key manager, which is Barbican: secrets are removed and certificates read there as the caller, by the caller's own token, at the endpoint the
// operator names or that token's catalog has.
import { existsSync } from "node:fs";
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { optionGroup } from "../../core/options.ts";
import { catalogEndpoint } from "./catalog-endpoint.ts";
import { type KeystoneAnswer, KeystoneClient, unavailable } from "./keystone-client.ts";
import type { ServiceSession } from "./service-session.ts";

export const keyManagerOptions = optionGroup("key_manager", {
  backend: {
    type: "string",
    default: "barbican",
    deprecated: ["key_manager.api_class"],
    help: "Where keys of encrypted volumes are removed with the images that say so, and where the certificates of signed images are. With another one than Barbican keys stay (a warning at the start, and with each such image, says so), and signed data is refused.",
  },
});

const section = "barbican";

export const barbicanOptions = optionGroup(section, {
  barbican_endpoint: {
    type: "string",
    default: null,
    help: "URL of Barbican, such as https://barbican.example:9311. Unset: that of the catalog of the caller's token.",
  },
  barbican_api_version: { type: "string", default: null, help: "Version of its API, below that URL. Unset: v1." },
  barbican_endpoint_type: {
    type: "string",
    default: "public",
    choices: ["public", "internal", "admin"],
    help: "Which of its endpoints in the catalog is asked.",
  },
  barbican_region_name: { type: "string", default: null, help: "Region of that endpoint. Unset: the first of any." },
  verify_ssl: { type: "boolean", default: true, help: "Ask no Barbican whose certificate cannot be believed." },
  verify_ssl_path: {
    type: "string",
    default: null,
    help: "PEM file of the authorities that Barbican's certificate may come from. Unset: those of Node.js and of the system.",
  },
});

type SecretQuestion = { readonly token: string; readonly secretId: string };
/** `refused`: by Barbican, to this caller. `absent`: there is no key manager. */
type NoSecret = "unknown" | "refused" | "absent";

export type KeyManager = {
  /** Throws identity.unauthenticated, identity.unavailable. */
  removeSecret(question: SecretQuestion): Promise<"removed" | NoSecret>;
  /** The secret as it is stored, where it is of type `certificate`. Throws as removeSecret. */
  readCertificate(question: SecretQuestion): Promise<Buffer | "no_certificate" | NoSecret>;
  close(): Promise<void>;
};

/** Clients wait for it when they delete an image, where a key that stays behind harms nobody, and before they upload a signed one. */
const answerMsMax = 10_000;
const retriesMax = 1;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** null where the operator's is another one. Asks nothing yet. Throws config.invalid. */
export function openKeyManager(
  config: Pick<Config, "read">,
  { session, logger }: { readonly session: ServiceSession; readonly logger: Logger },
): KeyManager | null {
  const { backend } = config.read(keyManagerOptions);
  if (!/barbican/i.test(backend)) {
    logger.warn({ backend }, "[key_manager] backend is not Barbican: keys of encrypted volumes stay when images go");
    return null;
  }
  const options = config.read(barbicanOptions);
  const { barbican_endpoint: given, verify_ssl_path: caFile } = options;
  if (given !== null && !(/^https?:/i.test(given) && URL.canParse(given)))
    throw invalid("barbican_endpoint", given, "is no http or https URL");
  if (caFile !== null && !existsSync(caFile)) throw invalid("verify_ssl_path", caFile, "is not there");
  const tls = { caFile, certFile: null, keyFile: null, insecure: !options.verify_ssl };
  // Made with the first key: reading the system's authorities takes a moment that most nodes never need to spend.
  let client: KeystoneClient | undefined;
  const http = () => {
    const settings = { section, authUrl: given ?? "https:", tls, answerMsMax, retriesMax, asked: "Barbican" };
    client ??= new KeystoneClient(settings);
    return client;
  };
  /** What Barbican says of a secret; a word where it says nothing. Throws as KeyManager.removeSecret. */
  async function ask(
    { token, secretId }: SecretQuestion,
    {
      method,
      path = "",
      accept,
    }: { readonly method: "GET" | "DELETE"; readonly path?: string; readonly accept?: string },
  ): Promise<KeystoneAnswer | NoSecret> {
    if (!uuid.test(secretId)) return "unknown";
    const question = {
      token,
      serviceType: "key-manager",
      region: options.barbican_region_name,
      serviceInterface: options.barbican_endpoint_type,
    };
    const endpoint = given ?? (await catalogEndpoint(session, question));
    if (endpoint === null) return "absent";
    const version = options.barbican_api_version || "v1";
    const url = `${endpoint.replace(/\/+(v\d[\d.]*)?\/*$/, "")}/${version}/secrets/${secretId}${path}`;
    const call = { method, url, headers: { "x-auth-token": token, ...(accept ? { accept } : {}) } };
    const answer = await http().call(call);
    const { status } = answer;
    if (status === 404 || status === 410) return "unknown";
    if (status === 401 || status === 403) return "refused";
    if (status >= 200 && status < 300) return answer;
    throw unavailable(call, `it answered ${status}`, undefined, "Barbican");
  }

  return {
    async removeSecret(question) {
      const answer = await ask(question, { method: "DELETE" });
      return typeof answer === "string" ? answer : "removed";
    },

    async readCertificate(question) {
      const described = await ask(question, { method: "GET" });
      if (typeof described === "string") return described;
      const { secret_type: type, content_types: types } = (described.body ?? {}) as SecretDescription;
      if (type !== "certificate" || typeof types?.default !== "string") return "no_certificate";
      // Barbican gives a payload as what it was stored as, and as nothing else.
      const payload = await ask(question, { method: "GET", path: "/payload", accept: types.default });
      return typeof payload === "string" ? payload : payload.bytes;
    },

    close: async () => client?.close(),
  };
}

/** Of a secret whose payload was never stored, there are no content types. */
type SecretDescription = { readonly secret_type?: unknown; readonly content_types?: { readonly default?: unknown } };

function invalid(option: string, value: string, what: string): ServiceError {
  return new ServiceError("config.invalid", `[${section}] ${option} ${value} ${what}.`, {
    facts: { section, option, value },
  });
}
