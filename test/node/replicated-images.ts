// glance-replicator as a process, and the images of the services that it copies between, as their admin.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../bin/glance-replicator.js", import.meta.url));
/** Of the fake authentication of tests. */
const token = "boss:ops:admin";

export function begin(...args: readonly string[]): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("OS_"));
  return spawn(process.execPath, [script, "-t", token, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: Object.fromEntries(own),
  });
}

export async function ended(child: ChildProcess) {
  const { stdout, stderr } = child;
  assert(stdout && stderr);
  const [out, err, [code]] = await Promise.all([text(stdout), text(stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

export const run = (...args: readonly string[]) => ended(begin(...args));
export const at = (node: { readonly url: string }) => node.url.replace("http://", "");

export type Shown = { readonly id: string; readonly status: string; readonly [field: string]: unknown };

export async function ask(
  node: { readonly url: string },
  method: string,
  path: string,
  body?: unknown,
  type = "application/json",
) {
  const bytes = body instanceof Buffer;
  return fetch(`${node.url}/v2/images${path}`, {
    method,
    headers: { "x-auth-token": token, ...(body !== undefined && { "content-type": type }) },
    ...(body !== undefined && { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
  });
}

export async function show(node: { readonly url: string }, id: string): Promise<Shown> {
  const answer = await ask(node, "GET", `/${id}`);
  assert.equal(answer.status, 200);
  return (await answer.json()) as Shown;
}

export async function make(node: { readonly url: string }, fields: object, data?: Buffer): Promise<string> {
  const made = await ask(node, "POST", "", { disk_format: "raw", container_format: "bare", ...fields });
  assert.equal(made.status, 201, await made.clone().text());
  const { id } = (await made.json()) as Shown;
  if (data) assert.equal((await ask(node, "PUT", `/${id}/file`, data, "application/octet-stream")).status, 204);
  return id;
}

export async function dataOf(node: { readonly url: string }, id: string): Promise<Buffer> {
  return Buffer.from(await (await ask(node, "GET", `/${id}/file`)).arrayBuffer());
}

export async function change(node: { readonly url: string }, id: string, steps: readonly object[]): Promise<void> {
  const answer = await ask(node, "PATCH", `/${id}`, steps, "application/openstack-images-v2.1-json-patch");
  assert.equal(answer.status, 200, await answer.text());
}

/** Whatever a copy has to have of an image. */
const ownFields = ["created_at", "updated_at", "self", "file", "schema", "stores", "virtual_size"];
export const said = (image: Shown) =>
  Object.fromEntries(Object.entries(image).filter(([field]) => !ownFields.includes(field)));
