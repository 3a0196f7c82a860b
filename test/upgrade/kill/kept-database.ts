// A database of Newton without nodes, on a server that can be killed, with glance-manage run on it as a process whose every step is
// heard of as it begins and ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { DatabaseKind } from "../../../demo/database.ts";
import { nodeConfig } from "../../../demo/fleet-files.ts";
import { binary } from "../../../demo/processes.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import type { Database } from "../../../src/db/database.ts";
import { newestRelease } from "../../../src/releases/catalogue.ts";
import type { Crashable } from "../../servers/crashable.ts";
import { startCrashableMariadb } from "../../servers/mariadb.ts";
import { startCrashablePostgresql } from "../../servers/postgresql.ts";
import { fillImages } from "./schema-fingerprint.ts";

export const phases = ["expand", "migrate", "contract"] as const;
export type Phase = (typeof phases)[number];

export type Running = { kill(): void; readonly ended: Promise<Ended> };
/** How a run of glance-manage ended. */
export type Ended = { readonly code: number | null; readonly signal: string | null; readonly stderr: string };
/** Something glance-manage is about to do, or has done: `expand ocata: add column images.visibility: started`. */
export type Listener = (moment: string, kill: () => void) => void;

type CrashableServer = Crashable & { createDatabase(): Promise<string> };
const serverOf: Record<DatabaseKind, (() => Promise<CrashableServer>) | null> = {
  sqlite: null,
  mariadb: startCrashableMariadb,
  postgresql: startCrashablePostgresql,
};

export class KeptDatabase {
  /** null: SQLite, which has none. */
  readonly server: Crashable | null;
  readonly url: string;
  readonly #config: string;

  private constructor(server: Crashable | null, url: string, config: string) {
    this.server = server;
    this.url = url;
    this.#config = config;
  }

  /** Gives `work` a database with this many images, and takes all of it away afterwards. */
  static async with<T>(kind: DatabaseKind, images: number, work: (database: KeptDatabase) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), "perennial-kept-"));
    const server = (await serverOf[kind]?.()) ?? null;
    try {
      const url = (await server?.createDatabase()) ?? `sqlite:///${join(folder, "glance.sqlite")}`;
      const config = join(folder, "manage.conf");
      const node = { name: "manage", address: "127.0.0.1:9292", folder };
      const release = newestRelease.id;
      await writeFile(config, nodeConfig({ node, connection: url, imageFolder: folder, release }));
      const kept = new KeptDatabase(server, url, config);
      await kept.must("sync", "--to", "newton");
      await kept.open((db) => fillImages(db, images));
      return await work(kept);
    } finally {
      await server?.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async open<T>(work: (db: Database) => Promise<T>): Promise<T> {
    const db = await openDatabase(this.url, { poolSizeMax: 2 });
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  }

  /** Runs `db COMMAND` to its end; throws with its words where it fails. */
  async must(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.run(args, () => undefined);
    if (code !== 0) throw new Error(`glance-manage db ${args.join(" ")} ended with ${code}: ${stderr}`);
  }

  /** Runs `db COMMAND` to its end; `listener` hears of every step. */
  run(args: readonly string[], listener: Listener): Promise<Ended> {
    return this.start(args, listener).ended;
  }

  /** Begins `db COMMAND`. */
  start(args: readonly string[], listener: Listener = () => undefined): Running {
    const [program, script] = binary("glance-manage");
    const child = spawn(program, [script, "--config-file", this.#config, "db", ...args, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = () => void child.kill("SIGKILL");
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const moment = momentOf(JSON.parse(line) as Record<string, unknown>);
      if (moment !== undefined) listener(moment, kill);
    });
    const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stderr }));
    return { kill, ended };
  }
}

/** The parts of a long step count, the numbers in their words do not. */
function momentOf(event: Record<string, unknown>): string | undefined {
  if (event.event !== "step" && event.event !== "progress") return undefined;
  const { phase, release, step, status = "progress", detail = "" } = event;
  if (status === "already_applied" || status === "waiting") return undefined;
  return [`${phase} ${release}`, step, status, String(detail).replace(/\d[\d,.]*/g, "n")].filter(Boolean).join(": ");
}
