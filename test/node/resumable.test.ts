// An upload whose node is killed in the middle goes on, on another node, from the last byte that arrived.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage, statusOf } from "./images.ts";
import { type NodeProcess, Site } from "./node-process.ts";
import { killWhole } from "./worker-processes.ts";

const site = new Site();
const staging = join(site.folder, "staging");
const changes = {
  DEFAULT: { node_staging_uri: `file://${staging}` },
  perennial: { resumable_uploads: true, resumable_upload_seconds: 600 },
};
before(() => site.createDatabase(newestRelease.id));

test("resumable: kill -9 in mid-upload, and another node goes on with the bytes that arrived", async () => {
  const [doomed, survivor] = await Promise.all([site.start("doomed", changes), site.start("survivor", changes)]);
  const image = await createImage(doomed);
  const data = randomBytes(3_000_000);
  const upload = request(`${doomed.url}/v2/images/${image}/file`, {
    method: "PUT",
    headers: {
      "content-type": "application/octet-stream",
      "content-length": data.length,
      "upload-complete": "?1",
    },
  });
  const cut = new Promise<void>((resolve) => upload.on("error", () => resolve()));
  upload.write(data.subarray(0, 2_000_000));
  await eventually("bytes have arrived", async () => (await offsetOf(survivor, image)) > 1_000_000);
  killWhole(doomed);
  await cut;
  assert.equal(await statusOf(site, image), "saving", "not given up");
  const offset = await offsetOf(survivor, image);
  assert(offset > 1_000_000 && offset <= 2_000_000);
  const response = await fetch(`${survivor.url}/v2/images/${image}/file`, {
    method: "PATCH",
    headers: {
      "content-type": "application/partial-upload",
      "upload-offset": String(offset),
      "upload-complete": "?1",
    },
    body: data.subarray(offset),
  });
  assert.equal(response.status, 204);
  const shown = JSON.parse(await survivor.get(`/v2/images/${image}`)) as Record<string, unknown>;
  assert.deepEqual(
    [shown.status, shown.size, shown.checksum, shown.os_hash_value],
    ["active", data.length, hex("md5", data), hex("sha512", data)],
  );
  assert(readFileSync(join(site.folder, "images", image)).equals(data));
  assert.deepEqual(readdirSync(join(staging, ".perennial-uploads")), [], "no part is left");
  survivor.signal("SIGTERM");
  assert.deepEqual(await survivor.exited, { code: 0, signal: null });
});

/** 0 where the upload has not begun. */
async function offsetOf(node: NodeProcess, image: string): Promise<number> {
  const response = await fetch(`${node.url}/v2/images/${image}/file`, { method: "HEAD" });
  return Number(response.headers.get("upload-offset") ?? 0);
}

function hex(algorithm: string, data: Buffer): string {
  return createHash(algorithm).update(data).digest("hex");
}
