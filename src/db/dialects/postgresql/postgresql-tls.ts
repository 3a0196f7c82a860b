// TLS as libpq's sslmode asks for it, in the words of node:tls.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { PostgresqlUrl } from "../../url.ts";

export type TlsOptions = ConnectionOptions | false;

/** false: none is tried. Throws config.invalid where a file cannot be read. */
export function tlsOptionsOf(url: PostgresqlUrl): TlsOptions {
  // Nobody listens in on a Unix socket, and the server offers no TLS there.
  if (url.tls === "disable" || url.host.startsWith("/")) return false;
  const { caPath, certPath, keyPath } = url.tlsFiles;
  // As with libpq, naming a root certificate asks for a certificate that leads to it.
  const verify = url.tls.startsWith("verify") || (url.tls === "require" && caPath !== null);
  return {
    ...(caPath === null || caPath === "system" ? {} : { ca: readPem("sslrootcert", caPath) }),
    ...(certPath === null ? {} : { cert: readPem("sslcert", certPath) }),
    ...(keyPath === null ? {} : { key: readPem("sslkey", keyPath) }),
    rejectUnauthorized: verify,
    checkServerIdentity: (host, certificate) =>
      url.tls === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
    ...(isIP(url.host) === 0 ? { servername: url.host } : {}),
  };
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const message = `[database] connection: ${parameter} cannot be read: ${errorText(error)}`;
    throw new ServiceError("config.invalid", message, {
      facts: { section: "database", option: "connection" },
      cause: error,
    });
  }
}
