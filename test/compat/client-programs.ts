// The real openstack and glance commands without the seconds that each of them takes to load its libraries: client-programs.py has them
// loaded, and runs every command in a fork of itself.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

type Answer = { readonly id: number; readonly code: number };
type Waiting = { resolve(code: number): void; reject(reason: Error): void };

/** Debian's own: another Python on the way knows nothing of the packages. */
const python = "/usr/bin/python3";
const script = fileURLToPath(new URL("client-programs.py", import.meta.url));

class ClientPrograms {
  readonly #folder: string;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<unknown>;
  #commands = 0;

  constructor(folder: string) {
    this.#folder = folder;
    const env = cleanEnvironment({ HOME: folder });
    this.#process = spawn(python, [script], { env, detached: true, stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => undefined);
    this.#ended = once(this.#process, "exit");
    this.#process.on("exit", (code, signal) => {
      const reason = new Error(`client-programs.py ended (${code ?? signal})`);
      for (const { reject } of this.#waiting.values()) reject(reason);
      this.#waiting.clear();
    });
    createInterface(this.#process.stdout).on("line", (line) => {
      const { id, code } = JSON.parse(line) as Answer;
      this.#waiting.get(id)?.resolve(code);
      this.#waiting.delete(id);
    });
  }

  /** See runClient. */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
    const id = this.#commands++;
    const [out, err] = [join(this.#folder, `${id}.out`), join(this.#folder, `${id}.err`)];
    const code = await new Promise<number>((resolve, reject) => {
      if (this.#process.exitCode !== null) return reject(new Error("client-programs.py has ended"));
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ id, program, args, env, out, err })}\n`);
    });
    const [stdout, stderr] = await Promise.all([readFile(out, "utf8"), readFile(err, "utf8")]);
    if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}\n${stdout}\n${stderr}`);
    return stdout;
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    await this.#ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

let programs: Promise<ClientPrograms> | undefined;
after(async () => (await programs)?.stop());

/** Runs one command and resolves to its stdout; its only environment is `env`. Throws with all it said where it exits with other than 0. */
export async function runClient(
  program: "openstack" | "glance",
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  programs ??= mkdtemp(join(tmpdir(), "perennial-programs-")).then((folder) => new ClientPrograms(folder));
  return (await programs).run(program, args, env);
}

/** Without proxies, through which loopback calls would leave, and without anybody's own OS_ settings. */
export function cleanEnvironment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^OS_|proxy$/i.test(name));
  return { ...Object.fromEntries(kept), ...more };
}
