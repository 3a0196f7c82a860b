// The programs of PostgreSQL, in a version that fits the server, and how they are told where it is: by the environment libpq reads, the
// password by a file.
import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ServiceError } from "../../../core/errors.ts";
import type { PostgresqlUrl } from "../../url.ts";
import { findPrograms, secretPath, versionOf } from "../client-program.ts";

export type PgProgram = { readonly path: string; readonly version: string };

const debianFolder = "/usr/lib/postgresql";

/** The newest there is, of the server's major version or newer: older ones do not know what the server may hold. */
export async function findPgProgram(name: "pg_dump" | "psql", serverMajor: number): Promise<PgProgram> {
  const found: (PgProgram & { readonly major: number })[] = [];
  for (const path of findPrograms(name, folders())) {
    const version = await versionOf(path);
    found.push({ path, version, major: Number(/ (\d+)/.exec(version)?.[1] ?? 0) });
  }
  const [newest] = found.sort((a, b) => b.major - a.major);
  if (newest && newest.major >= serverMajor) return newest;
  const has = newest ? `${name} ${newest.major} is older than the server` : `${name} is not installed`;
  throw new Error(`${has}; install the Debian package postgresql-client-${serverMajor}, or a newer one`);
}

function folders(): string[] {
  let versions: readonly string[] = [];
  try {
    versions = readdirSync(debianFolder);
  } catch {
    // Not Debian: what is in PATH then.
  }
  return [...versions.map((one) => join(debianFolder, one, "bin")), ...(process.env.PATH ?? "").split(delimiter)];
}

/** Without password the programs look for one in libpq's own places, as the driver does. */
export function pgEnvironment(url: PostgresqlUrl, database: string): Readonly<Record<string, string>> {
  const { tlsFiles } = url;
  const maybe = (name: string, value: string | null) => (value === null || value === "" ? {} : { [name]: value });
  return {
    PGHOST: url.host,
    PGPORT: String(url.port),
    PGDATABASE: database,
    PGCONNECT_TIMEOUT: String(Math.ceil(url.connectTimeoutMs / 1_000)),
    PGSSLMODE: url.tls,
    PGCLIENTENCODING: "UTF8",
    PGAPPNAME: url.applicationName ?? "perennial",
    PGOPTIONS: `${url.options ?? ""} -c client_min_messages=warning`.trim(),
    ...maybe("PGUSER", url.user),
    ...maybe("PGPASSFILE", url.password === null ? null : secretPath),
    ...maybe("PGSSLROOTCERT", tlsFiles.caPath),
    ...maybe("PGSSLCERT", tlsFiles.certPath),
    ...maybe("PGSSLKEY", tlsFiles.keyPath),
  };
}

export function pgPassFile(url: PostgresqlUrl): string {
  return url.password === null ? "" : `*:*:*:*:${url.password.replaceAll(/[\\:]/g, "\\$&")}\n`;
}

const denied = /permission denied|must be owner|authentication failed|no pg_hba\.conf entry|role ".*" does not exist/;
const unreachable =
  /could not connect|connection to server .* failed|server closed the connection|terminating connection/;

/** `psql:<stdin>:12: ERROR:  permission denied for schema public`, `pg_dump: error: connection to server at ... failed: ...`. */
export function translatePgWords(line: string): Error {
  if (denied.test(line)) return new ServiceError("db.access_denied", line);
  if (unreachable.test(line)) return new ServiceError("db.unreachable", line);
  return new Error(line);
}
