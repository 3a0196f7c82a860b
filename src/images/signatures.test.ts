// Data that its owner signed is taken where it is what was signed, whatever way it comes, and never where that cannot be told.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import type { ImageServices } from "./services.ts";
import {
  admin,
  alice,
  Fixture,
  formats,
  namedStores,
  never,
  patch,
  read,
  settled,
  withCode,
} from "./testing/fixture.ts";
import { type HashMethod, keyManagerWith, keyTypes, makeSigner } from "./testing/signing.ts";

const signer = makeSigner("RSA-PSS");
/** More than what is hashed on the spot, and less. */
const [large, small] = [randomBytes(700_000), Buffer.from("some data")];
const settings = { propertiesMax: 10, resumableSeconds: 3_600 };
const token = "owner's";
const direct = {
  method: { name: "glance-direct" },
  storeIds: null,
  headerStoreId: null,
  allStores: false,
  allMustSucceed: true,
  body: {},
  token,
} as const;

const fixtures: Fixture[] = [];
after(() => Promise.all(fixtures.map(({ partsFolder }) => rm(partsFolder, { recursive: true, force: true }))));

function setUp(options: Parameters<Fixture["node"]>[0] = {}) {
  const fixture = new Fixture();
  fixtures.push(fixture);
  const keys = keyManagerWith(signer.certificate);
  return { fixture, services: fixture.node({ release: "2026.1", keys, settings, ...options }) };
}

function upload(services: ImageServices, id: string, data: Buffer, shown: string | undefined = token): Promise<void> {
  const options = { signal: never, announcedBytes: data.length, token: shown };
  return services.data.upload(alice, id, Readable.from([data]), options);
}

const saying = (pattern: RegExp) => (error: unknown) =>
  isServiceError(error, "images.invalid") && pattern.test(error.message);

for (const release of ["newton", "2026.1"] as const)
  test(`signatures: what was signed is taken, and nothing else (${release})`, async () => {
    const { fixture, services } = setUp({ release });
    for (const data of [large, small]) {
      const { id } = await services.images.create(alice, { ...formats, ...signer.properties(data) });
      const altered = Buffer.from(data);
      altered[data.length - 1] = (altered[data.length - 1] ?? 0) ^ 1;
      await assert.rejects(upload(services, id, altered), saying(/not what was signed/));
      assert.deepEqual([fixture.database.live(id)?.status, fixture.store.keys.includes(id)], ["queued", false]);
      await upload(services, id, data);
      assert.deepEqual(await read(services, alice, id), data);
    }
  });

for (const keyType of keyTypes)
  test(`signatures: keys of type ${keyType} with each hash, and no signature of another key`, async () => {
    const mine = makeSigner(keyType);
    const { services } = setUp({ keys: keyManagerWith(mine.certificate) });
    for (const hash of ["SHA-224", "SHA-256", "SHA-384", "SHA-512"] satisfies HashMethod[]) {
      const { id } = await services.images.create(alice, { ...formats, ...mine.properties(small, hash) });
      await upload(services, id, small);
    }
    const theirs = { ...mine.properties(small), img_signature: makeSigner(keyType).properties(small).img_signature };
    const { id } = await services.images.create(alice, { ...formats, ...theirs });
    await assert.rejects(upload(services, id, small), saying(/not what was signed/));
  });

test("signatures: what cannot be verified is refused, with the reason, before any data is taken", async () => {
  const right = signer.properties(small);
  const short = makeSigner("ECC_SECP384R1");
  const cases: readonly [object, RegExp, Parameters<typeof keyManagerWith>[0]?][] = [
    [{ img_signature: "no base64!" }, /img_signature is not base64/],
    [{ img_signature: "" }, /img_signature is not base64/],
    [{ img_signature_hash_method: "MD5" }, /hash_method is none of SHA-224/],
    [{ img_signature_hash_method: "constructor" }, /hash_method is none of SHA-224/],
    [{ img_signature_key_type: "RSA" }, /key_type is none of RSA-PSS/],
    [{ img_signature_certificate_uuid: "11111111-1111-4111-8111-111111111111" }, /does not have the certificate/],
    [{ img_signature_key_type: "DSA" }, /key is rsa, not dsa/],
    [{}, /key is ec, not rsa/, short.certificate],
    [{}, /no X\.509 certificate/, Buffer.from("nonsense")],
    [{}, /is no certificate/, "no_certificate"],
  ];
  for (const [wrong, why, has] of cases) {
    const { fixture, services } = setUp(has === undefined ? {} : { keys: keyManagerWith(has) });
    const { id } = await services.images.create(alice, { ...formats, ...right, ...wrong });
    await assert.rejects(upload(services, id, small), saying(why));
    assert.deepEqual([fixture.database.live(id)?.status, fixture.store.keys], ["queued", []]);
  }
  const { services } = setUp();
  const { id } = await services.images.create(alice, { ...formats, ...right });
  await assert.rejects(upload(services, id, small, "somebody's"), saying(/does not show you/));
  const anonymous = { signal: never, announcedBytes: null };
  await assert.rejects(
    services.data.upload(alice, id, Readable.from([small]), anonymous),
    saying(/there is no key manager/),
  );
  const bare = new Fixture().node({ settings });
  const { id: alone } = await bare.images.create(alice, { ...formats, ...right });
  await assert.rejects(upload(bare, alone, small), saying(/there is no key manager/));
});

test("signatures: what is malformed as a signature is a wrong one", async () => {
  for (const keyType of keyTypes) {
    const mine = makeSigner(keyType);
    const { services } = setUp({ keys: keyManagerWith(mine.certificate) });
    for (const bytes of [Buffer.from("x"), randomBytes(64), randomBytes(256), randomBytes(1_000)]) {
      const wrong = { ...mine.properties(small), img_signature: bytes.toString("base64") };
      const { id } = await services.images.create(alice, { ...formats, ...wrong });
      await assert.rejects(upload(services, id, small), saying(/not what was signed/));
    }
  }
});

test("signatures: an upload in parts is verified as a whole", async () => {
  const { fixture, services } = setUp();
  const usual = { signal: never, announcedBytes: null, totalBytes: null, token };
  const send = async (data: Buffer) => {
    const { id } = await services.images.create(alice, { ...formats, ...signer.properties(large) });
    await services.resumable.begin(alice, id, Readable.from([data.subarray(0, 9)]), { ...usual, last: false });
    const rest = { ...usual, offsetBytes: 9, last: true };
    return { id, end: services.resumable.append(alice, id, Readable.from([data.subarray(9)]), rest) };
  };
  const { id, end } = await send(large);
  assert.equal((await end).complete, true);
  assert.deepEqual(await read(services, alice, id), large);
  const wrong = await send(Buffer.concat([large, small]));
  await assert.rejects(wrong.end, saying(/not what was signed/));
  assert.deepEqual([fixture.database.live(wrong.id)?.status, fixture.store.keys], ["queued", [id]]);
  const refused = await services.images.create(alice, { ...formats, ...signer.properties(large) });
  const foreign = { ...usual, token: "somebody's", last: false };
  await assert.rejects(
    services.resumable.begin(alice, refused.id, Readable.from([small]), foreign),
    saying(/does not show you/),
  );
  assert.equal(fixture.database.live(refused.id)?.status, "queued");
});

test("signatures: an import is verified by the token of who asked for it; a task's too", async () => {
  const { fixture, services } = setUp();
  const staged = async (data: Buffer) => {
    const { id } = await services.images.create(alice, { ...formats, ...signer.properties(large) });
    await services.imports.stage(alice, id, Readable.from([data]), { signal: never, announcedBytes: null });
    return id;
  };
  const status = (id: string) => fixture.database.live(id)?.status;
  const id = await staged(large);
  await assert.rejects(
    services.imports.start(alice, id, { ...direct, token: "somebody's" }),
    withCode("images.invalid"),
  );
  assert.equal(status(id), "uploading");
  await services.imports.start(alice, id, direct);
  while (status(id) === "importing") await settled();
  assert.deepEqual(await read(services, alice, id), large);
  const wrong = await staged(Buffer.concat([large, small]));
  await services.imports.start(alice, wrong, direct);
  while (status(wrong) === "importing") await settled();
  assert.deepEqual([status(wrong), fixture.store.keys], ["queued", [id]]);
  const [task] = await services.tasks.ofImage(alice, wrong);
  assert.match(task?.message ?? "", /not what was signed/);
  const attributes = { ...formats, ...signer.properties(large) };
  const asked = { uri: "http://127.0.0.1/", format: null, attributes, input: {} };
  const images = fixture.database.images.size;
  await assert.rejects(services.imports.startTask(admin, asked, "somebody's"), saying(/does not show you/));
  assert.equal(fixture.database.images.size, images);
});

test("signatures: an incomplete set asks for nothing, and copies of what is there are made", async () => {
  const stores = namedStores(["one", "two"]);
  const { services } = setUp({ stores });
  const { img_signature_certificate_uuid: uuid = "", ...incomplete } = signer.properties(large);
  const { id } = await services.images.create(alice, { ...formats, ...incomplete });
  await upload(services, id, small);
  await services.images.update(alice, id, patch({ op: "add", path: ["img_signature_certificate_uuid"], value: uuid }));
  await services.imports.start(admin, id, { ...direct, method: { name: "copy-image" }, storeIds: ["two"] });
  assert.deepEqual(await read(services, alice, id), small);
});
