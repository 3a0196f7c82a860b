// The programs of MySQL and MariaDB, and how they are told where the server is: by an option file, so that no password stands on a
// command line.
import { ServiceError } from "../../../core/errors.ts";
import type { MysqlServer } from "../../schema/mysql/server.ts";
import type { MysqlUrl } from "../../url.ts";
import { findPrograms } from "../client-program.ts";

const names = {
  dump: { mariadb: ["mariadb-dump", "mysqldump"], mysql: ["mysqldump", "mariadb-dump"] },
  load: { mariadb: ["mariadb", "mysql"], mysql: ["mysql", "mariadb"] },
} as const;
const debianPackages = { mariadb: "mariadb-client", mysql: "default-mysql-client" } as const;

/** The program that fits the server best. Throws where there is none, naming the package to install. */
export function findMysqlProgram(purpose: "dump" | "load", { flavor }: MysqlServer): string {
  const wanted = names[purpose][flavor];
  const [found] = wanted.flatMap((name) => findPrograms(name));
  if (found) return found;
  throw new Error(`neither ${wanted.join(" nor ")} is installed; install the Debian package ${debianPackages[flavor]}`);
}

/** `loose-`: the programs of MySQL and MariaDB each know some of these, and pass over the others. */
export function mysqlOptionFile(url: MysqlUrl): string {
  const quoted = (value: string) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const lines = ["[client]", `user=${quoted(url.user)}`, `password=${quoted(url.password)}`];
  if (url.socketPath !== null) lines.push(`socket=${quoted(url.socketPath)}`);
  else lines.push(`host=${quoted(url.host)}`, `port=${url.port}`, "protocol=tcp");
  lines.push(`loose-connect-timeout=${Math.ceil(url.connectTimeoutMs / 1_000)}`);
  lines.push(`loose-ssl-verify-server-cert=${url.tls?.verify ? 1 : 0}`);
  if (url.tls) {
    lines.push("loose-ssl=1", `loose-ssl-mode=${url.tls.verify ? "VERIFY_IDENTITY" : "REQUIRED"}`);
    if (url.tls.caPath !== null) lines.push(`ssl-ca=${quoted(url.tls.caPath)}`);
    if (url.tls.certPath !== null) lines.push(`ssl-cert=${quoted(url.tls.certPath)}`);
    if (url.tls.keyPath !== null) lines.push(`ssl-key=${quoted(url.tls.keyPath)}`);
    if (url.tls.cipher !== null) lines.push(`ssl-cipher=${quoted(url.tls.cipher)}`);
  }
  return `${lines.join("\n")}\n`;
}

const denied: ReadonlySet<number> = new Set([1044, 1045, 1142, 1227, 1370, 1419]);
const unreachable: ReadonlySet<number> = new Set([1040, 1053, 2002, 2003, 2005, 2006, 2013, 2026]);

/** `mariadb-dump: Got error: 1045: "Access denied ..." when trying to connect`, `ERROR 1062 (23000) at line 7: Duplicate ...`. */
export function translateMysqlWords(line: string): Error {
  const errno = Number(/(?:error:? |ERROR )(\d{4})\b/.exec(line)?.[1] ?? 0);
  if (denied.has(errno)) return new ServiceError("db.access_denied", line, { facts: { errno } });
  if (unreachable.has(errno)) return new ServiceError("db.unreachable", line, { facts: { errno } });
  return new Error(line);
}
