// Random lives of images on several nodes that die or stand still at any point. Whatever happened, once leases have expired and one node has cleaned up, the
// database and the store agree: no image hangs in saving, every active one has exactly its data, and nothing else lies in the store.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import type { ImageServices } from "./services.ts";
import { admin, alice, Fixture, formats, Life, leaseSeconds, never, read, settled } from "./testing/fixture.ts";

// Few of everything, and the steps that lead into trouble more often than others, so that they meet.
const imageIds = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
const nodesCount = 2;

const image = fc.oneof({ weight: 9, arbitrary: fc.constant(imageIds[0] ?? "") }, fc.constant(imageIds[1] ?? ""));
const node = fc.nat(nodesCount - 1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("upload"), image, node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("write"), image, bytes: fc.constantFrom(0, 1, 5_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("end", "end", "end", "vanish"), image }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("remove", "deactivate", "reactivate"), image, node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("die", "stall", "stall", "resume", "resume"), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reap"), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait"), seconds: fc.constantFrom(1, 20, 61, 61, 61) }) },
  // Only some of what could run now runs, so that the next step meets everything half done.
  { weight: 4, arbitrary: fc.record({ do: fc.constant("turn"), turns: fc.integer({ min: 1, max: 30 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly fixture = new Fixture();
  readonly #nodes: { services: ImageServices; life: Life }[] = [];
  /** The newest of each image is the one that writes, ends and vanishes. */
  readonly #clients = new Map<string, Readable>();
  readonly #allClients: Readable[] = [];
  readonly #outcomes: Promise<void>[] = [];
  readonly #mistakes: unknown[] = [];

  constructor() {
    for (let n = 0; n < nodesCount; n++) this.#start(n);
  }

  #start(n: number): void {
    const life = new Life();
    this.#nodes[n] = { life, services: this.fixture.node({ life, node: `node-${n}` }) };
  }

  async take(step: Step): Promise<void> {
    const at = "node" in step ? this.#nodes[step.node] : undefined;
    const client = "image" in step ? this.#clients.get(step.image) : undefined;
    switch (step.do) {
      case "upload": {
        const source = new Readable({ read() {} }).on("error", () => undefined);
        this.#clients.set(step.image, source);
        this.#allClients.push(source);
        this.#expect(
          at?.services.data.upload(alice, step.image, source, { signal: never, announcedBytes: null }).then(() => {
            const status = this.fixture.database.live(step.image)?.status ?? "deleted";
            assert(
              ["active", "deactivated", "deleted"].includes(status),
              `an upload succeeded, and its image is ${status}`,
            );
          }),
        );
        return;
      }
      case "write":
        if (client && !client.readableEnded && !client.destroyed) client.push(randomBytes(step.bytes));
        return;
      case "end":
        client?.push(null);
        return;
      case "vanish":
        client?.destroy();
        return;
      case "remove":
      case "deactivate":
      case "reactivate":
        return this.#expect(at?.services.images[step.do](alice, step.image));
      case "die":
        if (at) at.life.dead = true;
        return this.#start(step.node);
      case "stall":
      case "resume":
        return at?.life[step.do]();
      case "reap":
        return this.#expect(at?.services.reaper.reclaimExpiredUploads());
      case "wait":
        return this.fixture.clock.advance(step.seconds * 1_000);
      case "turn":
        for (let turn = 0; turn < step.turns; turn++) await Promise.resolve();
    }
  }

  /** Refusals are part of life; anything but a ServiceError is a mistake of ours. */
  #expect(work: Promise<unknown> | undefined): void {
    this.#outcomes.push(
      Promise.resolve(work).then(
        () => undefined,
        (error: unknown) => {
          if (!isServiceError(error)) this.#mistakes.push(error);
        },
      ),
    );
  }

  async calm(): Promise<void> {
    for (const client of this.#allClients) client.destroy();
    for (const { life } of this.#nodes) life.resume();
    const survivor = this.fixture.node({ node: "survivor" });
    for (let round = 0; round < 4; round++) {
      await this.fixture.clock.advance(leaseSeconds * 1_000 + 1);
      await survivor.reaper.reclaimExpiredUploads();
    }
    // Those of nodes that died never come back; the others have.
    await Promise.race([Promise.all(this.#outcomes), settled()]);
    assert.deepEqual(this.#mistakes, []);
    await this.#check(survivor);
  }

  async #check(services: ImageServices): Promise<void> {
    const stored: string[] = [];
    for (const id of imageIds) {
      const row = this.fixture.database.live(id);
      if (!row) continue;
      assert(["queued", "active", "deactivated"].includes(row.status), `image ${id} is ${row.status}`);
      if (row.status === "queued") continue;
      stored.push(id);
      const data = await read(services, admin, id);
      assert.equal(data.length, row.sizeBytes);
      assert.equal(createHash("md5").update(data).digest("hex"), row.checksum);
    }
    assert.deepEqual(
      [...this.fixture.store.keys].sort(),
      stored,
      "the store holds what active images need, and nothing else",
    );
    assert.equal(this.fixture.database.leases.size, 0);
  }
}

test("crash: whatever nodes, clients and clocks do, database and store agree in the end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 50 }), async (steps) => {
      const world = new World();
      const setup = world.fixture.node();
      for (const id of imageIds) await setup.images.create(alice, { id, ...formats });
      for (const one of steps) await world.take(one);
      await world.calm();
    }),
    { numRuns: 150 },
  );
});
