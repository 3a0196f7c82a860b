// Backs up MySQL and MariaDB with the server's own dump program: one consistent snapshot, without locks, as SQL, compressed.
// The password reaches it through a file that only we can read, never through the command line.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { MysqlUrl } from "../../db/url.ts";
import { readCompressed, writeCompressed } from "./compressed-file.ts";
import type { CopyContext, DatabaseCopy } from "./database-copy.ts";
import { SqlDumpReader } from "./sql-dump-reader.ts";

const programs = ["mariadb-dump", "mysqldump"];
const stderrCharactersMax = 2_000;

export function createMysqlCopy(url: MysqlUrl): DatabaseCopy {
  return {
    async bytesNeeded({ db }) {
      const [row] = await db.query<{ bytes: number | string | null }>(
        "SELECT SUM(data_length) AS bytes FROM information_schema.tables WHERE table_schema = DATABASE()",
      );
      // As text the data is about as large as in the tables; compressed it was never above a half.
      return Math.ceil(Number(row?.bytes ?? 0) / 2);
    },

    async write(context) {
      const { folder, name, signal } = context;
      const file = `${name}.sql.zst`;
      const options = join(folder, `${name}.cnf`);
      await writeFile(options, optionFile(url), { mode: 0o600, flag: "wx" });
      try {
        const reader = new SqlDumpReader();
        const written = await dump(context, options, url.database, join(folder, file), (chunk) => reader.push(chunk));
        if (!reader.complete) throw new Error("the dump program ended well, but its output has no end");
        return { file, ...written, rows: reader.rows };
      } finally {
        await rm(options, { force: true });
        signal.throwIfAborted();
      }
    },

    async readBack({ folder, signal }, file) {
      const reader = new SqlDumpReader();
      const read = await readCompressed(join(folder, file), (chunk) => reader.push(chunk), signal);
      if (!reader.complete) throw new Error("read back, the dump has no end");
      return { ...read, rows: reader.rows };
    },

    restore: (file) => `zstd -dc ${file} | mariadb ${url.database}`,
  };
}

async function dump(
  { signal }: CopyContext,
  optionFilePath: string,
  database: string,
  path: string,
  look: (chunk: Uint8Array) => void,
): Promise<{ bytes: number; sha256: string }> {
  const child = spawn(
    findProgram(),
    [
      `--defaults-file=${optionFilePath}`,
      "--single-transaction",
      "--quick",
      "--skip-lock-tables",
      "--triggers",
      "--routines",
      "--hex-blob",
      "--default-character-set=utf8mb4",
      database,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-stderrCharactersMax);
  });
  const ended = once(child, "close").then(([code]) => {
    if (code === 0) return;
    throw new Error(said.trim().split("\n")[0] || `the dump program ended with ${code ?? "a signal"}`);
  });
  try {
    const [written] = await Promise.all([writeCompressed(child.stdout, path, look, signal), ended]);
    return written;
  } catch (error) {
    child.kill("SIGKILL");
    // Where the program failed its own words say why, better than the stream that ended early.
    const failure = await ended.then(() => error).catch((own: unknown) => (said.trim() === "" ? error : own));
    throw failure;
  }
}

function findProgram(): string {
  for (const program of programs) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      try {
        accessSync(join(folder, program), constants.X_OK);
        return join(folder, program);
      } catch {
        // Not here: the next folder.
      }
    }
  }
  throw new Error(`neither ${programs.join(" nor ")} is installed; install the Debian package mariadb-client`);
}

function optionFile(url: MysqlUrl): string {
  const quoted = (value: string) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const lines = ["[client]", `user=${quoted(url.user)}`, `password=${quoted(url.password)}`];
  if (url.socketPath !== null) lines.push(`socket=${quoted(url.socketPath)}`);
  else lines.push(`host=${quoted(url.host)}`, `port=${url.port}`, "protocol=tcp");
  if (url.tls) {
    lines.push("ssl");
    if (url.tls.caPath !== null) lines.push(`ssl-ca=${quoted(url.tls.caPath)}`);
    if (url.tls.certPath !== null) lines.push(`ssl-cert=${quoted(url.tls.certPath)}`);
    if (url.tls.keyPath !== null) lines.push(`ssl-key=${quoted(url.tls.keyPath)}`);
    if (url.tls.cipher !== null) lines.push(`ssl-cipher=${quoted(url.tls.cipher)}`);
  }
  return `${lines.join("\n")}\n`;
}
