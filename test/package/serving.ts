// What any installed form of the package has to do: its commands explain themselves, and a node of it serves an image.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rawContent, readContent } from "../../demo/images.ts";
import { finish } from "../../demo/processes.ts";
import { adminToken } from "../../demo/traffic/actor.ts";
import { eventually } from "../servers/eventually.ts";

/** Words that start a command of the package. */
export type Installed = (name: string, ...args: readonly string[]) => readonly string[];

export const commands: readonly string[] = [
  ...[
    "glance-api",
    "glance-control",
    "glance-manage",
    "glance-replicator",
    "glance-rollout",
    "glance-scrubber",
    "glance-status",
  ],
  ...["manage", "pruner", "cleaner", "prefetcher"].map((name) => `glance-cache-${name}`),
];

export async function explainThemselves(installed: Installed, cwd: string, names = commands): Promise<void> {
  for (const name of names) {
    const version = await finish(installed(name, "--version"), { cwd });
    assert.equal(version.code, 0, version.stderr);
    assert.match(version.stdout, /\d+\.\d+\.\d+/);
    const help = await finish(installed(name, "--help"), { cwd });
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, new RegExp(name));
  }
}

export type Serving = { readonly origin: string; readonly process: ChildProcess; stop(): Promise<void> };

/** Resolves when the node is healthy. `stop` fails where it does not leave in good order. */
export async function startServing(
  command: readonly string[],
  options: { address: string; cwd: string },
): Promise<Serving> {
  const [program = "", ...args] = command;
  const server = spawn(program, args, { cwd: options.cwd, stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(server, "exit");
  const origin = `http://${options.address}`;
  const stop = async () => {
    server.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
  };
  const healthy = eventually("the node is healthy", async () => (await fetch(`${origin}/healthcheck`)).ok, {
    msMax: 600_000,
  });
  try {
    await Promise.race([healthy, ended.then(() => assert.fail("the node ended"))]);
  } catch (error) {
    healthy.catch(() => undefined);
    server.kill("SIGKILL");
    throw error;
  }
  return { origin, process: server, stop };
}

/** An image is made, filled, read back byte for byte and deleted. */
export async function serveAnImage(origin: string): Promise<void> {
  const ask = (method: string, path: string, type?: string, body?: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${origin}${path}`, {
      method,
      headers: { "X-Auth-Token": adminToken, ...(type === undefined ? {} : { "Content-Type": type }) },
      ...(body === undefined ? {} : { body }),
    });
  const draft = JSON.stringify({ disk_format: "raw", container_format: "bare" });
  const { id } = (await (await ask("POST", "/v2/images", "application/json", draft)).json()) as { id: string };
  const data = readContent(rawContent(1, "package", 300_000));
  const stored = await ask("PUT", `/v2/images/${id}/file`, "application/octet-stream", new Uint8Array(data));
  assert.equal(stored.status, 204);
  const got = await ask("GET", `/v2/images/${id}/file`);
  assert(data.equals(Buffer.from(await got.arrayBuffer())));
  assert.equal((await ask("DELETE", `/v2/images/${id}`)).status, 204);
}
