// How one gets in: TLS as sslmode says, passwords, the Unix socket. A server of its own, with certificates and rules made for it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type PostgresqlServer, startPostgresql } from "../../../../test/servers/postgresql.ts";
import { isServiceError } from "../../../core/errors.ts";
import { openDatabase } from "../../connect.ts";
import { testDialects, testPostgresql } from "../../testing/databases.ts";

const openssl = spawnSync("openssl", ["version"]).status === 0;
const skip = !testDialects.includes("postgresql") || (openssl ? false : "this machine has no openssl");

const rules = `local all all trust
host all secret all scram-sha-256
host all old all md5
hostssl all tlsonly all trust
hostnossl all plainonly all trust
host all postgres all trust
`;

/** In `folder`: an authority, and a certificate of it for the name localhost. */
function makeCertificates(folder: string): void {
  const run = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority");
  run("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost\n");
  const issue = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  run("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...issue);
}

async function withServer(work: (server: PostgresqlServer, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "perennial-access-"));
  try {
    makeCertificates(folder);
    writeFileSync(join(folder, "hba.conf"), rules);
    chmodSync(folder, 0o755);
    chmodSync(join(folder, "server.key"), 0o600);
    // The server reads its key as its own user, and wants to be the only one.
    if (userInfo().uid === 0) chownSync(join(folder, "server.key"), Number(execFileSync("id", ["-u", "postgres"])), 0);
    const settings = [
      `hba_file=${join(folder, "hba.conf")}`,
      "ssl=on",
      `ssl_cert_file=${join(folder, "server.pem")}`,
      `ssl_key_file=${join(folder, "server.key")}`,
    ];
    const server = await startPostgresql({ settings });
    try {
      await work(server, folder);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether one gets in, by TLS or not; or the code of why not. */
async function enter(url: string): Promise<"tls" | "plain" | string> {
  try {
    const db = await openDatabase(url);
    const [row] = await db.query<{ ssl: boolean }>("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    await db.close();
    return row?.ssl ? "tls" : "plain";
  } catch (error) {
    if (!isServiceError(error)) throw error;
    assert.doesNotMatch(error.message, /hunter2/);
    return error.code;
  }
}

test("postgresql: TLS, passwords and the socket are as the URL says", { skip }, async () => {
  await withServer(async ({ port, socketFolder, url }, folder) => {
    const admin = await openDatabase(url("postgres"));
    await admin.run("create role tlsonly login; create role plainonly login");
    await admin.run("create role secret login password 'hunter2'");
    await admin.run(
      "set password_encryption = 'md5'; create role old login password 'hunter2'; reset password_encryption",
    );
    await admin.close();
    const at = (user: string, query: string, host = "localhost") =>
      enter(`postgresql://${user}@${host}:${port}/postgres${query}`);
    const ca = `sslrootcert=${join(folder, "ca.pem")}`;
    const cases: [Promise<string>, string, string][] = [
      [at("postgres", ""), "tls", "TLS is taken where it is offered"],
      [at("postgres", "?sslmode=disable"), "plain", "disable"],
      [at("plainonly", ""), "plain", "prefer goes without where the server insists"],
      [at("plainonly", "?sslmode=require"), "db.access_denied", "require does not"],
      [at("tlsonly", "?sslmode=disable"), "db.access_denied", "disable does not either"],
      [at("postgres", "?sslmode=require"), "tls", "require believes any certificate"],
      [at("postgres", "?sslmode=verify-full"), "db.unreachable", "an authority nobody knows"],
      [at("postgres", `?sslmode=verify-full&${ca}`), "tls", "verify-full"],
      [
        at("postgres", `?sslmode=verify-full&${ca}`, "127.0.0.1"),
        "db.unreachable",
        "another name than the certificate's",
      ],
      [at("postgres", `?sslmode=verify-ca&${ca}`, "127.0.0.1"), "tls", "verify-ca looks at no name"],
      [at("postgres", "?sslmode=verify-ca&sslrootcert=/nowhere.pem"), "config.invalid", "a file that is not there"],
      [at("secret:hunter2", ""), "tls", "a password by SCRAM"],
      [at("old:hunter2", ""), "tls", "a password by MD5"],
      [at("secret:hunter3", ""), "db.access_denied", "a wrong password"],
      [at("secret:", ""), "db.access_denied", "an empty password"],
      [enter(`postgresql://postgres@/postgres?host=${socketFolder}&port=${port}`), "plain", "the socket"],
      [enter(`postgresql://postgres@/postgres?host=${folder}&port=${port}`), "db.unreachable", "no socket there"],
    ];
    for (const [entered, expected, what] of cases) assert.equal(await entered, expected, what);
  });
});

test("postgresql: without TLS at the server, require is refused and prefer goes on", { skip }, async () => {
  const { url } = await testPostgresql();
  assert.equal(await enter(url("postgres")), "plain");
  assert.equal(await enter(`${url("postgres")}?sslmode=require`), "db.unreachable");
});
