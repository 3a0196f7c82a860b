// Real nodes for tests: `bin/glance-api.js` with a configuration of its own in a folder of the test's, on a free port.
import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ReleaseId } from "../../src/releases/catalogue.ts";
import { freePort } from "../servers/free-port.ts";

const run = promisify(execFile);
const glanceApi = fileURLToPath(new URL("../../bin/glance-api.js", import.meta.url));
const glanceManage = fileURLToPath(new URL("../../bin/glance-manage.js", import.meta.url));

export type Sections = Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
type Ended = { readonly code: number | null; readonly signal: string | null };

// Hooks made inside a test end with that test's parent, which may be too late or never; these are the file's.
const started: NodeProcess[] = [];
const folders: string[] = [];
after(async () => {
  for (const node of started) node.signal("SIGKILL");
  await Promise.all(started.map((node) => node.exited));
  for (const folder of [...folders, templates]) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A folder with a database and a store, removed after the tests of the file. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "perennial-node-test-"));
  readonly connection: string;

  constructor(connection?: string) {
    this.connection = connection ?? `sqlite:///${join(this.folder, "glance.sqlite")}`;
    mkdirSync(join(this.folder, "images"));
    folders.push(this.folder);
  }

  /** Writes a configuration; `changes` add to and replace what is usual here. Returns its path. */
  writeConfig(name: string, changes: Sections = {}): string {
    const usual: Sections = {
      DEFAULT: { bind_host: "127.0.0.1", workers: 1 },
      database: { connection: this.connection, max_retries: 0 },
      glance_store: { filesystem_store_datadir: join(this.folder, "images") },
      perennial: { node_name: name, drain_settle_seconds: 0.5, heartbeat_seconds: 0.5, upload_lease_seconds: 3 },
    };
    const sections = [...new Set([...Object.keys(usual), ...Object.keys(changes)])];
    const lines = sections.map((section) => {
      const options = Object.entries({ ...usual[section], ...changes[section] });
      return [`[${section}]`, ...options.map(([option, value]) => `${option} = ${value}`), ""].join("\n");
    });
    const path = join(this.folder, `${name}.conf`);
    writeFileSync(path, lines.join("\n"));
    return path;
  }

  /** Runs glance-manage; throws with its words where it fails. */
  async manage(...args: readonly string[]): Promise<string> {
    const config = this.writeConfig("manage");
    const { stdout } = await run(process.execPath, [glanceManage, "--config-file", config, ...args]);
    return stdout;
  }

  /** Makes the database as a fresh installation of that release has it. */
  async createDatabase(release: ReleaseId): Promise<void> {
    const made = made_[release];
    const file = this.connection.replace("sqlite:///", "");
    if (this.connection.startsWith("sqlite:") && made) return copyFileSync(made, file);
    await this.manage("db", "sync", "--to", release);
    if (!this.connection.startsWith("sqlite:")) return;
    const template = join(templates, `${release}.sqlite`);
    copyFileSync(file, template);
    made_[release] = template;
  }

  /** Starts a node and waits until it serves. */
  async start(name: string, changes: Sections = {}, options: { port?: number } = {}): Promise<NodeProcess> {
    const port = options.port ?? (await freePort());
    const config = this.writeConfig(name, { ...changes, DEFAULT: { bind_port: port, ...changes.DEFAULT } });
    const node = new NodeProcess(config, port);
    await node.said(/"msg":"serving"/);
    return node;
  }
}

/** Databases are copied, since making one takes seconds. */
const templates = mkdtempSync(join(tmpdir(), "perennial-node-template-"));
const made_: Partial<Record<ReleaseId, string>> = {};

/** A running `glance-api`; ended, if the test did not, when the tests of the file are over. */
export class NodeProcess {
  readonly config: string;
  readonly port: number;
  readonly exited: Promise<Ended>;
  readonly stderr: string[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  /** `command`: how to start it, where that is not simply the program. */
  constructor(config: string, port: number, options: { command?: readonly string[]; spawn?: SpawnOptions } = {}) {
    this.config = config;
    this.port = port;
    const [program = process.execPath, ...args] = options.command ?? [process.execPath];
    this.#child = spawn(program, [...args, glanceApi, "--config-file", config], {
      stdio: ["ignore", "ignore", "pipe"],
      ...options.spawn,
    });
    if (!this.#child.stderr) throw new Error("the node's standard error is read");
    createInterface(this.#child.stderr).on("line", (line) => {
      this.stderr.push(line);
      for (const look of this.#waiting) look();
    });
    this.exited = once(this.#child, "exit").then(([code, signal]) => {
      for (const look of this.#waiting) look();
      return { code, signal };
    });
    started.push(this);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with the first line that matches, said already or later; rejects when the node ends without saying it. */
  said(pattern: RegExp, options: { from?: number } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const line = this.stderr.slice(options.from ?? 0).find((one) => pattern.test(one));
        const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
        if (line === undefined && !ended) return;
        this.#waiting.delete(look);
        if (line === undefined) reject(new Error(`ended without saying ${pattern}: ${this.stderr.join("\n")}`));
        else resolve(line);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The body of an answer, whatever its status, over a connection of its own. */
  async get(path: string): Promise<string> {
    return (await this.#ask(path)).text;
  }

  health(): Promise<{ readonly status: number; readonly text: string }> {
    return this.#ask("/healthcheck");
  }

  async #ask(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const asked = request(`${this.url}${path}`, { agent: false });
    asked.end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return { status: response.statusCode ?? 0, text: await text(response) };
  }

  /** Runs a node that is expected to end by itself. */
  static async refused(config: string): Promise<{ readonly code: number | null; readonly stderr: readonly string[] }> {
    const node = new NodeProcess(config, 0);
    const { code } = await node.exited;
    return { code, stderr: node.stderr };
  }
}
