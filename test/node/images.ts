// Images of a test's nodes: made over HTTP, uploaded as slowly as a test wants, looked at in the database.
import assert from "node:assert/strict";
import { request } from "node:http";
import { openDatabase } from "../../src/db/connect.ts";
import { eventually } from "../servers/eventually.ts";
import type { NodeProcess, Site } from "./node-process.ts";

/** Returns the id of a new image that waits for its data. */
export async function createImage(node: Pick<NodeProcess, "url">): Promise<string> {
  const response = await fetch(`${node.url}/v2/images`, {
    method: "POST",
    body: JSON.stringify({ name: "i", disk_format: "raw", container_format: "bare" }),
  });
  assert.equal(response.status, 201);
  return ((await response.json()) as { id: string }).id;
}

export type OpenUpload = {
  /** Of the response; rejects when the connection is cut. */
  readonly status: Promise<number>;
  write(bytes: number): void;
};

/** Begins an upload of `bytes`, of which none is sent yet. */
export function openUpload(node: Pick<NodeProcess, "url">, image: string, bytes: number): OpenUpload {
  const upload = request(`${node.url}/v2/images/${image}/file`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream", "content-length": bytes },
  });
  const status = new Promise<number>((resolve, reject) => {
    upload.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    upload.on("error", reject);
  });
  // Looked at later.
  status.catch(() => undefined);
  return { status, write: (count) => void upload.write(Buffer.alloc(count, "x")) };
}

export type RegistryRow = {
  readonly state: string;
  readonly release_id: string;
  readonly pid: number;
  readonly uploads: number;
  readonly bytes_left: number | null;
};

export async function query<R>(site: Site, sql: string, value: string): Promise<R | undefined> {
  const db = await openDatabase(site.connection);
  try {
    return (await db.query(sql, [value]))[0] as R | undefined;
  } finally {
    await db.close();
  }
}

export function rowOf(site: Site, node: string): Promise<RegistryRow | undefined> {
  return query(site, "SELECT state, release_id, pid, uploads, bytes_left FROM perennial_nodes WHERE name = ?", node);
}

export async function statusOf(site: Site, image: string): Promise<string | undefined> {
  return (await query<{ status: string }>(site, "SELECT status FROM images WHERE id = ?", image))?.status;
}

/** Resolves when the registry shows that many uploads of the node. */
export async function uploadsPublished(site: Site, node: string, count: number): Promise<void> {
  await eventually(`the registry shows ${count} uploads of ${node}`, async () => {
    return (await rowOf(site, node))?.uploads === count;
  });
}
