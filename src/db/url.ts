// Reads `[database] connection`: the URLs SQLAlchemy takes for MySQL, MariaDB and SQLite. Never repeats a password, not even in an error.
import { ServiceError } from "../core/errors.ts";

export type MysqlUrl = {
  readonly dialect: "mysql";
  readonly user: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  /** Where set, it is used instead of host and port. */
  readonly socketPath: string | null;
  readonly database: string;
  readonly connectTimeoutMs: number;
  readonly tls: MysqlTls | null;
  /** Query parameters that we do not know, for a warning. */
  readonly ignored: readonly string[];
  /** For people: where it leads, without the password. */
  readonly display: string;
};

export type MysqlTls = {
  /** Paths of PEM files. */
  readonly caPath: string | null;
  readonly certPath: string | null;
  readonly keyPath: string | null;
  readonly cipher: string | null;
  /** Certificate and host name must check. As with PyMySQL, naming a CA asks for it. */
  readonly verify: boolean;
};

export type SqliteUrl = {
  readonly dialect: "sqlite";
  /** Absolute, or relative to the working directory, as given. */
  readonly path: string;
  readonly ignored: readonly string[];
  readonly display: string;
};

export type DatabaseUrl = MysqlUrl | SqliteUrl;

const connectTimeoutSecondsDefault = 10;
// `rest` of name://rest. As SQLAlchemy: a password may hold anything, but "@" and "/" are better written %40 and %2F.
const partsPattern =
  /^(?:(?<user>[^:/@]*)(?::(?<password>.*?))?@)?(?:\[(?<host6>[^\]/?]*)\]|(?<host>[^@:/?]*))(?::(?<port>[^/?]*))?(?:\/(?<database>[^?@]*))?(?:\?(?<query>.*))?$/s;

/** Parses a connection URL. Throws config.invalid, naming what is wrong and what is right. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const [, scheme = "", rest = ""] = /^([\w+.-]+):\/\/(.*)$/s.exec(text.trim()) ?? [];
  const [name] = scheme.toLowerCase().split("+", 1);
  if (name === "mysql" || name === "mariadb") return parseMysql(rest);
  if (name === "sqlite") return parseSqlite(rest);
  if (name === "postgresql" || name === "postgres")
    throw invalid("PostgreSQL is not supported; use mysql:// (MySQL, MariaDB) or sqlite://");
  throw invalid(
    scheme === ""
      ? "it is no URL of the form mysql://user:password@host/database or sqlite:////path"
      : `${scheme}:// is unknown; use mysql:// or sqlite://`,
  );
}

function parseMysql(rest: string): MysqlUrl {
  const parts = partsPattern.exec(rest)?.groups;
  if (!parts)
    throw invalid(
      "mysql://user:password@host:port/database is expected; write special characters of the password as %XX",
    );
  const database = decode(parts.database ?? "");
  if (database === "") throw invalid("the database name is missing: mysql://user:password@host/database");
  const { known, ignored } = readQuery(parts.query ?? "", mysqlParameters);
  const host = (parts.host6 ?? decode(parts.host ?? "")) || "localhost";
  const port = parts.port === undefined || parts.port === "" ? 3306 : Number(parts.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(`the port is no number from 1 to 65535`);
  const user = decode(parts.user ?? "");
  const socketPath = known.get("unix_socket") ?? null;
  const seconds = Number(known.get("connect_timeout") ?? connectTimeoutSecondsDefault);
  if (!(seconds > 0 && seconds <= 3600)) throw invalid("connect_timeout is no number of seconds from 1 to 3600");
  const place = socketPath ?? (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  return {
    dialect: "mysql",
    user,
    password: decode(parts.password ?? ""),
    host,
    port,
    socketPath,
    database,
    connectTimeoutMs: seconds * 1_000,
    tls: readTls(known),
    ignored,
    display: `mysql://${user}@${place}/${database}`,
  };
}

function readTls(known: ReadonlyMap<string, string>): MysqlTls | null {
  const mode = (known.get("ssl_mode") ?? "").toUpperCase();
  if (isTrue(known.get("ssl_disabled")) || mode === "DISABLED") return null;
  const files = {
    caPath: known.get("ssl_ca") ?? null,
    certPath: known.get("ssl_cert") ?? null,
    keyPath: known.get("ssl_key") ?? null,
  };
  const wanted = [
    "ssl",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "ssl_cipher",
    "ssl_mode",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "ssl_check_hostname",
  ];
  if (!wanted.some((name) => known.has(name)) || isFalse(known.get("ssl"))) return null;
  const refused = ["ssl_verify_cert", "ssl_check_hostname", "ssl_verify_identity"].some((name) =>
    isFalse(known.get(name)),
  );
  const asked =
    isTrue(known.get("ssl_verify_cert")) || isTrue(known.get("ssl_verify_identity")) || mode.startsWith("VERIFY");
  return { ...files, cipher: known.get("ssl_cipher") ?? null, verify: asked || (files.caPath !== null && !refused) };
}

function parseSqlite(rest: string): SqliteUrl {
  const [location = "", query = ""] = rest.split("?", 2);
  // sqlite:///relative and sqlite:////absolute: the third slash ends the (empty) host.
  if (location !== "" && !location.startsWith("/"))
    throw invalid("a SQLite URL has no host: sqlite:///relative/path or sqlite:////absolute/path");
  const path = decode(location.slice(1));
  if (path === "" || path === ":memory:")
    throw invalid(
      "a database in memory cannot be shared by processes; give a path: sqlite:////var/lib/glance/glance.sqlite",
    );
  return { dialect: "sqlite", path, ignored: readQuery(query, sqliteParameters).ignored, display: `sqlite:///${path}` };
}

const mysqlParameters = new Set(
  "charset use_unicode unix_socket connect_timeout ssl ssl_ca ssl_cert ssl_key ssl_cipher ssl_mode ssl_disabled ssl_verify_cert ssl_verify_identity ssl_check_hostname".split(
    " ",
  ),
);
const sqliteParameters: ReadonlySet<string> = new Set();

function readQuery(query: string, parameters: ReadonlySet<string>): { known: Map<string, string>; ignored: string[] } {
  const known = new Map<string, string>();
  const ignored: string[] = [];
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const [name = "", ...value] = pair.split("=");
    if (parameters.has(name)) known.set(name, decode(value.join("=")));
    else ignored.push(name);
  }
  return { known, ignored };
}

/** As Python's unquote: an escape that is none stays as it stands. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString("utf8"),
  );
}

const isTrue = (value: string | undefined) => value !== undefined && /^(1|true|yes|on)$/i.test(value);
const isFalse = (value: string | undefined) => value !== undefined && /^(0|false|no|off)$/i.test(value);

function invalid(what: string): ServiceError {
  return new ServiceError("config.invalid", `[database] connection: ${what}`, {
    facts: { section: "database", option: "connection" },
  });
}
