// The node driver `command`: the operator's own commands say how a node stands, start, stop and install it, and let it hand over, for hosts
// that have no driver here. They are called without a shell, `{node}`, `{address}` and `{release}` filled in.
import { ServiceError } from "../../../core/errors.ts";
import { isReleaseId, type ReleaseId, releaseIds } from "../../../releases/catalogue.ts";
import { commandJson, fillIn, runCommand } from "../../run-command.ts";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import type { CommandNodeAt } from "../node-schemas.ts";

type Verb = "status" | "start" | "stop" | "cut" | "install" | "handover";

export function createCommandNode(node: CommandNodeAt): NodeDriver {
  const run = async (verb: Verb, signal: AbortSignal, release = ""): Promise<string> => {
    const words = fillIn(node[verb] ?? [], { node: node.name, address: node.address, release });
    const msMax = verb === "install" || verb === "handover" ? node.installMsMax : node.msMax;
    return (await runCommand(words, { what: `${verb} ${node.name}`, msMax, signal })).stdout;
  };
  const observe = async (signal: AbortSignal) =>
    readStatus(node, commandJson(`status ${node.name}`, node.status, await run("status", signal)));

  const handOver = async (release: ReleaseId, signal: AbortSignal): Promise<void> => {
    const before = await observe(signal);
    if (!before.handsOver)
      throw failed(node, "handover", "was not called: status says that the process cannot hand over");
    await run("handover", signal, release);
    const after = await observe(signal);
    if (after.process !== "running" || after.processId === before.processId)
      throw failed(
        node,
        "handover",
        "returned, yet status tells of no new process; it must return when that one serves",
      );
    if (after.configRelease === release) return;
    throw failed(node, "handover", `handed over to ${release}, yet status says ${after.configRelease} is started next`);
  };

  return {
    installMsMax: node.installMsMax,
    ...(node.handover && { handOver }),
    observe,
    async stop(signal): Promise<void> {
      // Told a second time it would cut its transfers.
      if ((await observe(signal)).process === "running") await run("stop", signal);
    },
    async cut(signal): Promise<void> {
      if ((await observe(signal)).process === "gone") return;
      await run("cut", signal);
      const left = await observe(signal);
      if (left.process === "gone") return;
      throw failed(node, "cut", `returned, yet status says ${left.process}; it must return when the process is gone`);
    },
    async install(release: ReleaseId, signal): Promise<void> {
      if ((await observe(signal)).process !== "gone")
        throw failed(node, "install", "was not called: the node is running, so nothing can be installed");
      await run("install", signal, release);
      const { configRelease } = await observe(signal);
      if (configRelease === release) return;
      throw failed(node, "install", `installed ${release}, yet status says that ${configRelease} is started next`);
    },
    async start(signal): Promise<void> {
      if ((await observe(signal)).process === "gone") await run("start", signal);
    },
  };
}

/** `{"process": "running", "release": "ocata", "id": "...", "pid": 4711, "seconds": 12.5, "hands_over": true, "last_words": "..."}`. */
function readStatus(node: CommandNodeAt, json: unknown): NodeObservation {
  const status: Readonly<Record<string, unknown>> = typeof json === "object" && json !== null ? { ...json } : {};
  const { process, release, id, pid, seconds = 0, hands_over: able = true, last_words: lastWords = null } = status;
  if (process !== "running" && process !== "stopping" && process !== "gone")
    throw failed(node, "status", "must print process as running, stopping or gone");
  if (typeof release !== "string" || !isReleaseId(release))
    throw failed(node, "status", `must print release, what is started next, as one of: ${releaseIds.join(", ")}`);
  if (typeof seconds !== "number" || seconds < 0)
    throw failed(node, "status", "must print seconds, how long it has been so, as a number from 0");
  if (typeof able !== "boolean") throw failed(node, "status", "must print hands_over, where it does, as true or false");
  const processId = id ?? pid ?? null;
  if (process !== "gone" && typeof processId !== "string" && typeof processId !== "number")
    throw failed(node, "status", "must print id, another one for each process that was started");
  const gone = process === "gone";
  return {
    configRelease: release,
    process,
    stopUnsure: false,
    processId: gone ? null : String(processId),
    pid: gone || typeof pid !== "number" ? null : pid,
    processMs: gone ? 0 : seconds * 1000,
    lastWords: gone && lastWords !== null ? String(lastWords) : null,
    handsOver: node.handover !== undefined && process === "running" && able,
    ...(node.handover === undefined && { handOverLacks: "a command `handover` in the fleet file" }),
    ...(node.handover && !able && { handOverLacks: "hands_over in what status prints" }),
  };
}

function failed(node: CommandNodeAt, verb: Verb, what: string): ServiceError {
  const message = `${node.name}: the command of ${verb} (${(node[verb] ?? []).join(" ")}) ${what}`;
  return new ServiceError("rollout.driver_failed", message, { facts: { node: node.name } });
}
