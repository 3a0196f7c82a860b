import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { type MysqlUrl, type PostgresqlUrl, parseDatabaseUrl } from "./url.ts";

function mysql(text: string): MysqlUrl {
  const url = parseDatabaseUrl(text);
  assert.equal(url.dialect, "mysql");
  return url as MysqlUrl;
}

function postgresql(text: string): PostgresqlUrl {
  const url = parseDatabaseUrl(text);
  assert.equal(url.dialect, "postgresql");
  return url as PostgresqlUrl;
}

test("url: the forms operators have in glance-api.conf are read", () => {
  const url = mysql("mysql+pymysql://glance:s3cret@db.example:3307/glance?charset=utf8");
  assert.deepEqual(
    [url.user, url.password, url.host, url.port, url.database, url.socketPath, url.tls, url.ignored],
    ["glance", "s3cret", "db.example", 3307, "glance", null, null, []],
  );
  assert.deepEqual(
    ["mysql://u@h/d", "mariadb://u@h/d", "mysql+mysqldb://u@h:3306/d", "MYSQL://u@h/d"].map(
      (text) => mysql(text).display,
    ),
    Array(4).fill("mysql://u@h:3306/d"),
  );
});

test("url: passwords hold percent-escapes, and even what should have been escaped", () => {
  assert.equal(mysql("mysql://u:p%40ss%2Fw%C3%B6rd%25@h/d").password, "p@ss/wörd%");
  assert.equal(mysql("mysql://u:100%sure@h/d").password, "100%sure");
  assert.equal(mysql("mysql://u:a+b?c#d@h/d").password, "a+b?c#d");
  const raw = mysql("mysql://u:p@ss/word@h:1/d");
  assert.deepEqual([raw.password, raw.host, raw.port], ["p@ss/word", "h", 1]);
  assert.equal(mysql("mysql://u@h/d").password, "");
});

test("url: sockets, IPv6 hosts and defaults", () => {
  const socket = mysql("mysql://glance:x@/glance?unix_socket=/run/mysqld/mysqld.sock");
  assert.deepEqual([socket.socketPath, socket.database], ["/run/mysqld/mysqld.sock", "glance"]);
  const ipv6 = mysql("mysql://u@[fe80::1]:3310/d");
  assert.deepEqual([ipv6.host, ipv6.port, ipv6.display], ["fe80::1", 3310, "mysql://u@[fe80::1]:3310/d"]);
  const bare = mysql("mysql:///glance");
  assert.deepEqual([bare.user, bare.host, bare.port, bare.connectTimeoutMs], ["", "localhost", 3306, 10_000]);
  assert.deepEqual(mysql("mysql://u@h/d?charset=utf8&binary_prefix=true").ignored, ["binary_prefix"]);
});

test("url: TLS is used where a certificate authority or a key is named", () => {
  assert.deepEqual(mysql("mysql://u@h/d?ssl_ca=/etc/ca.pem&ssl_cert=/c.pem&ssl_key=/k.pem").tls, {
    caPath: "/etc/ca.pem",
    certPath: "/c.pem",
    keyPath: "/k.pem",
    cipher: null,
    verify: true,
  });
  assert.equal(mysql("mysql://u@h/d?ssl_ca=/etc/ca.pem&ssl_check_hostname=false").tls?.verify, false);
  assert.equal(mysql("mysql://u@h/d?ssl_mode=REQUIRED").tls?.verify, false);
  assert.equal(mysql("mysql://u@h/d?ssl_ca=/etc/ca.pem&ssl_disabled=true").tls, null);
});

test("url: sqlite with three slashes is relative, with four absolute", () => {
  const absolute = parseDatabaseUrl("sqlite:////var/lib/glance/glance%20db.sqlite");
  assert.deepEqual(
    [absolute.dialect, "path" in absolute && absolute.path],
    ["sqlite", "/var/lib/glance/glance db.sqlite"],
  );
  const relative = parseDatabaseUrl("sqlite+pysqlite:///glance.sqlite?timeout=5");
  assert.deepEqual(["path" in relative && relative.path, relative.ignored], ["glance.sqlite", ["timeout"]]);
});

test("url: what is wrong is named, and no password is repeated", () => {
  const wrong: [string, RegExp][] = [
    ["", /no URL/],
    ["glance.sqlite", /no URL/],
    ["oracle://u:hunter2@h/d", /oracle:\/\/ is unknown/],
    ["postgresql://u:hunter2@h", /database name is missing/],
    ["postgresql://u:hunter2@h/d?sslmode=maybe", /sslmode is none of disable, /],
    ["postgresql://u:hunter2@/d?host=one,two", /one host is expected/],
    ["mysql://u:hunter2@h", /database name is missing/],
    ["mysql://u:hunter2@h:port/d", /port/],
    ["mysql://u:hunter2@h:70000/d", /port/],
    ["mysql://u:hunter2@h/d?connect_timeout=soon", /connect_timeout/],
    ["sqlite://", /memory/],
    ["sqlite:///:memory:", /memory/],
    ["sqlite://var/lib/x", /no host/],
  ];
  for (const [text, message] of wrong)
    assert.throws(
      () => parseDatabaseUrl(text),
      (error) => {
        assert(isServiceError(error, "config.invalid"), text);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  assert.doesNotMatch(JSON.stringify(mysql("mysql://u:hunter2@h/d").display), /hunter2/);
});

test("url: PostgreSQL's forms are read, parameters as libpq names them", () => {
  const forms = ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+pg8000", "postgresql+asyncpg"];
  for (const form of forms) assert.equal(postgresql(`${form}://u:p@h/d`).display, "postgresql://u@h:5432/d", form);
  const url = postgresql(
    "postgresql://glance:s3%40cret@db.example:5433/glance?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem&connect_timeout=3&application_name=node1&options=-c%20search_path%3Dglance&gssencmode=disable",
  );
  assert.deepEqual(url, {
    dialect: "postgresql",
    user: "glance",
    password: "s3@cret",
    host: "db.example",
    port: 5433,
    database: "glance",
    connectTimeoutMs: 3_000,
    tls: "verify-full",
    tlsFiles: { caPath: "/ca.pem", certPath: "/c.pem", keyPath: "/k.pem" },
    applicationName: "node1",
    options: "-c search_path=glance",
    ignored: ["gssencmode"],
    display: "postgresql://glance@db.example:5433/glance",
  });
});

test("url: PostgreSQL by its socket, and what holds where nothing is said", () => {
  const socket = postgresql("postgresql+psycopg2:///glance?host=/run/postgresql&port=5434");
  assert.deepEqual(
    [socket.host, socket.port, socket.display],
    ["/run/postgresql", 5434, "postgresql:///run/postgresql:5434/glance"],
  );
  const bare = postgresql("postgresql:///glance");
  assert.deepEqual([bare.user, bare.password, bare.host, bare.port, bare.tls], ["", null, "localhost", 5432, "prefer"]);
  assert.equal(postgresql("postgresql+asyncpg://u@h/d?ssl=require").tls, "require");
});
