// The balancer driver `nginx`: states are written into the file of its servers, tested by nginx itself, and taken up by a reload. nginx tells
// nobody what it runs with, so beside that file stands a copy of what it was last seen to have taken up; where the two differ, the rollout
// died in between, and the act is made again.
import { readFile } from "node:fs/promises";
import type { Clock } from "../../../core/clock.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { askHealth } from "../../node-health.ts";
import { replaceFile } from "../../replace-file.ts";
import { runCommand } from "../../run-command.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { NginxAt } from "../balancer-schemas.ts";
import { mergeStates } from "../merge-views.ts";
import { connectionsTo, nginxWorkers } from "./nginx-processes.ts";
import { parseServers, withState } from "./servers-file.ts";

const commandMsMax = 20_000;
/** From the reload until new workers serve and the old ones take nothing new. */
const takeUpMsMax = 30_000;
const pollMs = 50;

/** nginx has no health checks: whether a server is up is asked of the node itself, at the address that nginx has. */
export function createNginxBalancer(at: NginxAt, nodes: readonly string[], clock: Clock): Balancer {
  return new NginxBalancer(at, nodes, clock);
}

class NginxBalancer implements Balancer {
  readonly actMsMax = 2 * commandMsMax + takeUpMsMax;
  readonly #at: NginxAt;
  readonly #nodes: readonly string[];
  readonly #clock: Clock;

  constructor(at: NginxAt, nodes: readonly string[], clock: Clock) {
    this.#at = at;
    this.#nodes = nodes;
    this.#clock = clock;
  }

  async observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>> {
    const workers = await nginxWorkers(this.#at.pidFile);
    const servers = parseServers(await this.#read());
    this.#mustHaveNodes(servers);
    const taken = parseServers((await this.#readTaken()) ?? "");
    const sessions = await connectionsTo(workers, new Map([...servers].map(([name, { address }]) => [name, address])));
    const views = [...servers].map(async ([name, { address, state }]) => {
      const states = [state, taken.get(name)?.state ?? state];
      const { ok } = await askHealth(address, signal);
      return [name, { state: mergeStates(states), up: ok, sessions: sessions.get(name) ?? 0 }] as const;
    });
    return new Map(await Promise.all(views));
  }

  async setState(server: string, state: RotationState, signal: AbortSignal): Promise<void> {
    const before = await nginxWorkers(this.#at.pidFile);
    const text = await this.#read();
    if (!parseServers(text).has(server)) {
      const message = `${this.#at.serversFile} has no server ${server}; ${howToName(server)}`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { server } });
    }
    const next = withState(text, server, state);
    const taken = await this.#readTaken();
    if (taken === next && text === next) return;
    // Noted before the first change ever: otherwise nothing would tell that it was not taken up.
    if (taken === null) await this.#write(this.#takenFile(), text);
    await this.#write(this.#at.serversFile, next);
    await this.#test(text, signal);
    await runCommand(this.#at.reload, { what: `${state} ${server}`, msMax: commandMsMax, signal });
    await this.#takenUp(new Set(before.map(({ id }) => id)), signal);
    await this.#write(this.#takenFile(), next);
  }

  /** What nginx refuses is taken back: a reload by anybody would fail, and a restart end in no nginx at all. */
  async #test(text: string, signal: AbortSignal): Promise<void> {
    const takeBack = () => this.#write(this.#at.serversFile, text);
    const about = { what: "nginx's own test", msMax: commandMsMax, signal, answers: [0, 1] };
    const { code, stderr } = await runCommand(this.#at.test, about).catch(async (error: unknown) => {
      await takeBack();
      throw error;
    });
    if (code === 0) return;
    await takeBack();
    const [line = ""] = stderr.trim().split("\n");
    const message = `nginx refuses its configuration, so its servers stay as they are: ${line || "it does not say why"}`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { file: this.#at.serversFile } });
  }

  /** Old workers on their way out take nothing new; they are not waited for, since their transfers may last hours. */
  async #takenUp(old: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + takeUpMsMax;
    for (;;) {
      const serving = (await nginxWorkers(this.#at.pidFile)).filter(({ leaving }) => !leaving);
      if (serving.length > 0 && serving.every(({ id }) => !old.has(id))) return;
      if (this.#clock.monotonicMs() > deadlineMs) {
        const message = `nginx was reloaded, yet its old workers go on taking requests; its error log says why`;
        throw new ServiceError("rollout.driver_failed", message);
      }
      await this.#clock.sleep(pollMs, signal);
    }
  }

  #mustHaveNodes(servers: ReadonlyMap<string, unknown>): void {
    const missing = this.#nodes.filter((node) => !servers.has(node));
    if (missing.length === 0) return;
    const has = [...servers.keys()].join(", ") || "none";
    const message = `${this.#at.serversFile} has no server ${missing.join(", ")} (it has: ${has}); ${howToName(missing[0] ?? "")}`;
    throw new ServiceError("rollout.fleet_invalid", message, { facts: { file: this.#at.serversFile } });
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.#at.serversFile, "utf8");
    } catch (error) {
      const message = `the file of nginx's servers cannot be read (${errorText(error)}); write one after deploy/glance-servers.conf`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { file: this.#at.serversFile }, cause: error });
    }
  }

  async #readTaken(): Promise<string | null> {
    try {
      return await readFile(this.#takenFile(), "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
      const message = `what nginx has taken up cannot be read (${errorText(error)}); make ${this.#takenFile()} readable for glance-rollout`;
      throw new ServiceError("rollout.driver_failed", message, { cause: error });
    }
  }

  async #write(file: string, text: string): Promise<void> {
    try {
      await replaceFile(file, text);
    } catch (error) {
      const message = `${file} cannot be written (${errorText(error)}); make its folder writable for glance-rollout`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { file }, cause: error });
    }
  }

  #takenFile(): string {
    return `${this.#at.serversFile}.taken`;
  }
}

function howToName(server: string): string {
  return `a line of it reads: server HOST:PORT; # ${server}`;
}
