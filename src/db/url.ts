// Reads `[database] connection`: the URLs SQLAlchemy takes for MySQL, MariaDB, PostgreSQL and SQLite. Never repeats a password, not even in an error.
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

/** What libpq's sslmode asks for. `allow` is read as `prefer`: in both, a server that insists on either way is reached. */
export type PostgresqlTlsMode = "disable" | "prefer" | "require" | "verify-ca" | "verify-full";

export type PostgresqlUrl = {
  readonly dialect: "postgresql";
  /** Empty: the name of the operating system's user, as libpq has it. */
  readonly user: string;
  /** null: libpq's own ways to find one. */
  readonly password: string | null;
  /** A name, an address, or the folder of the server's Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly connectTimeoutMs: number;
  readonly tls: PostgresqlTlsMode;
  /** Paths of PEM files; `system` as caPath: the authorities of this machine. */
  readonly tlsFiles: {
    readonly caPath: string | null;
    readonly certPath: string | null;
    readonly keyPath: string | null;
  };
  readonly applicationName: string | null;
  /** Options for the server process, e.g. `-c search_path=glance`. */
  readonly options: string | null;
  /** Query parameters that we do not know, for a warning. */
  readonly ignored: readonly string[];
  /** For people: where it leads, without the password. */
  readonly display: string;
};

export type DatabaseUrl = MysqlUrl | PostgresqlUrl | SqliteUrl;

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
  if (name === "postgresql" || name === "postgres") return parsePostgresql(rest);
  throw invalid(
    scheme === ""
      ? "it is no URL of the form mysql://user:password@host/database, postgresql://user:password@host/database or sqlite:////path"
      : `${scheme}:// is unknown; use mysql:// (MySQL, MariaDB), postgresql:// or sqlite://`,
  );
}

type Server = {
  readonly user: string;
  /** null: there is none in the URL. */
  readonly password: string | null;
  /** Empty: there is none in the URL. */
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly known: ReadonlyMap<string, string>;
  readonly ignored: readonly string[];
};

/** What URLs of servers have in common. `form`: for the error. */
function parseServer(rest: string, form: string, parameters: ReadonlySet<string>): Server {
  const parts = partsPattern.exec(rest)?.groups;
  if (!parts)
    throw invalid(
      `${form}://user:password@host:port/database is expected; write special characters of the password as %XX`,
    );
  const database = decode(parts.database ?? "");
  if (database === "") throw invalid(`the database name is missing: ${form}://user:password@host/database`);
  return {
    user: decode(parts.user ?? ""),
    password: parts.password === undefined ? null : decode(parts.password),
    host: parts.host6 ?? decode(parts.host ?? ""),
    port: parts.port ?? "",
    database,
    ...readQuery(parts.query ?? "", parameters),
  };
}

function parseMysql(rest: string): MysqlUrl {
  const { user, password, database, known, ignored, ...server } = parseServer(rest, "mysql", mysqlParameters);
  const host = server.host || "localhost";
  const port = readPort(server.port, 3306);
  const socketPath = known.get("unix_socket") ?? null;
  const place = socketPath ?? placeOf(host, port);
  return {
    dialect: "mysql",
    user,
    password: password ?? "",
    host,
    port,
    socketPath,
    database,
    connectTimeoutMs: readConnectTimeoutMs(known),
    tls: readTls(known),
    ignored,
    display: `mysql://${user}@${place}/${database}`,
  };
}

function parsePostgresql(rest: string): PostgresqlUrl {
  const server = parseServer(rest, "postgresql", postgresqlParameters);
  const { user, password, database, known, ignored } = server;
  const host = known.get("host") || server.host || "localhost";
  if (host.includes(",")) throw invalid("one host is expected; put a balancer or a virtual address before several");
  const port = readPort(known.get("port") ?? server.port, 5432);
  return {
    dialect: "postgresql",
    user,
    password: known.get("password") ?? password,
    host,
    port,
    database,
    connectTimeoutMs: readConnectTimeoutMs(known),
    tls: readTlsMode(known),
    tlsFiles: {
      caPath: known.get("sslrootcert") ?? null,
      certPath: known.get("sslcert") ?? null,
      keyPath: known.get("sslkey") ?? null,
    },
    applicationName: known.get("application_name") ?? null,
    options: known.get("options") ?? null,
    ignored,
    display: `postgresql://${user}${user === "" ? "" : "@"}${placeOf(host, port)}/${database}`,
  };
}

/** `ssl` is what asyncpg calls sslmode. */
function readTlsMode(known: ReadonlyMap<string, string>): PostgresqlTlsMode {
  const mode = known.get("sslmode") ?? known.get("ssl") ?? "prefer";
  const found = tlsModes.get(isTrue(mode) ? "require" : mode);
  if (found === undefined) throw invalid(`sslmode is none of ${[...tlsModes.keys()].join(", ")}`);
  return found;
}

const tlsModes: ReadonlyMap<string, PostgresqlTlsMode> = new Map([
  ["disable", "disable"],
  ["allow", "prefer"],
  ["prefer", "prefer"],
  ["require", "require"],
  ["verify-ca", "verify-ca"],
  ["verify-full", "verify-full"],
]);

function readPort(text: string, usual: number): number {
  const port = text === "" ? usual : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid("the port is no number from 1 to 65535");
  return port;
}

function readConnectTimeoutMs(known: ReadonlyMap<string, string>): number {
  const seconds = Number(known.get("connect_timeout") ?? connectTimeoutSecondsDefault);
  if (!(seconds > 0 && seconds <= 3600)) throw invalid("connect_timeout is no number of seconds from 1 to 3600");
  return seconds * 1_000;
}

function placeOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
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
const postgresqlParameters = new Set(
  "host port password sslmode ssl sslrootcert sslcert sslkey connect_timeout application_name options client_encoding".split(
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
