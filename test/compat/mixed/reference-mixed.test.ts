// A fleet of the reference's node and ours on one database: what one writes the other reads, while it is being written, too; both refuse the
// same requests in the same way; and after random operations whatever was touched looks the same from both. SEED asks for other operations,
// OPERATIONS for more of them.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createConnection } from "mysql2/promise";
import { eventually } from "../../servers/eventually.ts";
import { type MariadbServer, startMariadb } from "../../servers/mariadb.ts";
import { badRequests } from "./bad-requests.ts";
import { Comparison } from "./differences.ts";
import { type Answer, type Asked, ask, describe } from "./exchange.ts";
import { type Kind, type MixedFleet, startMixedFleet } from "./fleet.ts";
import { beginUpload } from "./half-upload.ts";
import { compareWholeImage } from "./views.ts";
import { walk } from "./walk.ts";
import { isOk, json, World } from "./world.ts";

const seed = Number(process.env.SEED ?? 20_262);
const operations = Number(process.env.OPERATIONS ?? 45);
const directions: readonly (readonly [Kind, Kind])[] = [
  ["theirs", "ours"],
  ["ours", "theirs"],
];

const comparison = new Comparison();
let server: MariadbServer;
let database: string;
let fleet: MixedFleet;
let world: World;

before(async () => {
  server = await startMariadb();
  database = await server.createDatabase();
  fleet = await startMixedFleet({ databases: { theirs: database, ours: database }, stores: "one" });
  world = new World(fleet, comparison, seed);
});
after(async () => {
  await fleet?.stop();
  await server?.stop();
});

async function must(kind: Kind, asked: Asked): Promise<Answer> {
  const answer = await ask(fleet, kind, asked);
  assert(isOk(answer), `${kind}: ${describe(asked)}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

/** By ann, of a format that takes any data. */
async function made(kind: Kind, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const body = { name: "é漢", disk_format: "raw", container_format: "bare", ...more };
  return String(json(await must(kind, { caller: "ann", method: "POST", path: "/v2/images", body })).id);
}

const put = (kind: Kind, id: string, what: "file" | "stage", body = Buffer.from("some data")) =>
  must(kind, { caller: "ann", method: "PUT", path: `/v2/images/${id}/${what}`, body });
const imported = (kind: Kind, id: string, method: Readonly<Record<string, string>>) =>
  must(kind, { caller: "ann", method: "POST", path: `/v2/images/${id}/import`, body: { method } });
const shown = (kind: Kind, id: string) => ask(fleet, kind, { caller: "ann", method: "GET", path: `/v2/images/${id}` });

async function sameFromBoth(id: string): Promise<void> {
  await compareWholeImage(world, id);
  assert.deepEqual(world.mistakes, []);
}

test("mixed fleet: what one kind of node refuses the other refuses with the same status and a body of the same form", async () => {
  const active = await made("theirs");
  await put("ours", active, "file");
  await must("ours", { caller: "ann", method: "POST", path: `/v2/images/${active}/members`, body: { member: "blue" } });
  const definition = { namespace: "known", visibility: "public" };
  await must("theirs", { caller: "ops", method: "POST", path: "/v2/metadefs/namespaces", body: definition });
  const deleted = await made("ours");
  await must("theirs", { caller: "ann", method: "DELETE", path: `/v2/images/${deleted}` });
  const requests = badRequests({
    queued: await made("ours"),
    active,
    privateOne: await made("theirs", { visibility: "private" }),
    protectedOne: await made("ours", { protected: true }),
    deleted,
    namespace: "known",
    member: "blue",
  });
  // Nothing of it changes anything, so that the order is of no matter.
  const width = 4;
  for (let at = 0; at < requests.length; at += width) await world.allSay(requests.slice(at, at + width));
  assert.deepEqual(world.mistakes, []);
});

for (const [writer, reader] of directions) {
  test(`mixed fleet: an upload to ${writer} is seen and respected by ${reader}, which may delete the image meanwhile`, async () => {
    const bytes = Buffer.alloc(400_000, "d");
    for (const end of ["finished", "deleted"] as const) {
      const id = await made(reader);
      const path = `/v2/images/${id}`;
      const upload = beginUpload(`${fleet.urls[writer]}${path}/file`, "ann:red:member", bytes);
      await eventually(`${reader} sees the upload`, async () => json(await shown(reader, id)).status === "saving");
      const second = await ask(fleet, reader, { caller: "ann", method: "PUT", path: `${path}/file`, body: bytes });
      assert.equal(second.status, 409);
      if (end === "deleted") await must(reader, { caller: "ann", method: "DELETE", path });
      assert.equal(await upload.finish(), end === "deleted" ? 410 : 204);
      if (end === "finished") assert.equal(json(await shown(reader, id)).size, bytes.length);
      await eventually(
        "the data is as it should be",
        () => existsSync(join(fleet.folder, "images", id)) === (end === "finished"),
      );
      await sameFromBoth(id);
    }
  });

  test(`mixed fleet: data staged at ${writer} is imported and deleted there by way of ${reader}`, async () => {
    const [id, other] = [await made(writer), await made(reader)];
    for (const one of [id, other]) await put(writer, one, "stage");
    await sameFromBoth(id);
    await imported(reader, id, { name: "glance-direct" });
    await must(reader, { caller: "ann", method: "DELETE", path: `/v2/images/${other}` });
    await world.settled(id);
    const { body } = await ask(fleet, reader, { caller: "ann", method: "GET", path: `/v2/images/${id}/file` });
    assert.match(String(body), /^9 bytes: /);
    for (const one of [id, other]) assert.equal(existsSync(join(fleet.folder, "staging", one)), false);
    for (const one of [id, other]) await sameFromBoth(one);
  });

  test(`mixed fleet: an import at ${writer} holds its lock for ${reader}, and its end is seen there`, async () => {
    const id = await made(reader);
    await imported(writer, id, { name: "web-download", uri: `${fleet.web}/slow` });
    const lock = await eventually(
      "the import has begun",
      async () => json(await shown(reader, id)).os_glance_import_task,
    );
    assert.equal(json(await shown(writer, id)).os_glance_import_task, lock);
    const path = `/v2/images/${id}/import`;
    const body = { method: { name: "web-download", uri: `${fleet.web}/10` } };
    assert.equal((await ask(fleet, reader, { caller: "ann", method: "POST", path, body })).status, 409);
    await eventually("the data is being fetched", async () => {
      fleet.releaseSlow();
      return json(await shown(reader, id)).status === "active";
    });
    await world.settled(id);
    await sameFromBoth(id);
  });

  test(`mixed fleet: locations that ${writer} encrypts are read by ${reader}; values from before there were any are empty`, async () => {
    const id = await made(writer, { k: "v", gone: "x" });
    const type = { "content-type": "application/openstack-images-v2.1-json-patch" };
    const url = `${fleet.web}/500`;
    const change = (kind: Kind, body: unknown) =>
      must(kind, { caller: "ann", method: "PATCH", path: `/v2/images/${id}`, body, headers: type });
    await change(writer, [{ op: "add", path: "/locations/-", value: { url, metadata: { a: "ü" } } }]);
    const connection = await createConnection(database);
    try {
      const [rows] = await connection.query("select value from image_locations where image_id = ? and deleted = 0", [
        id,
      ]);
      assert.equal(JSON.stringify(rows).includes("http"), false, "a location is encrypted");
      await connection.query("update image_properties set value = null where image_id = ? and name = 'k'", [id]);
    } finally {
      await connection.end();
    }
    assert.equal(json(await shown(reader, id)).direct_url, url);
    assert.equal(json(await shown(reader, id)).k, "");
    await sameFromBoth(id);
    // The row of a removed property is used again.
    await change(reader, [{ op: "remove", path: "/gone" }]);
    await change(writer, [{ op: "add", path: "/gone", value: "back" }]);
    assert.equal(json(await shown(reader, id)).gone, "back");
    await sameFromBoth(id);
  });
}

test(`mixed fleet: after each of ${operations} random operations both kinds show the same (SEED=${seed})`, async (context) => {
  const { mistakes, done } = await walk(fleet, { seed, operations, comparison });
  context.diagnostic(`SEED=${seed}; went well: ${[...done].map(([what, count]) => `${what} ${count}`).join(", ")}`);
  assert.deepEqual(
    mistakes,
    [],
    `SEED=${seed}\n${mistakes.join("\n")}\n${mistakes.length > 0 ? fleet.output("ours") : ""}`,
  );
  assert(done.size >= 5, "most kinds of operations go well at least once");
});
