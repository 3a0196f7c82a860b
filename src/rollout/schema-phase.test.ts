// Phases of the schema through the real glance-manage on a real database: progress is heard, failures keep their codes.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../core/clock.ts";
import { openDatabase } from "../db/connect.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { DatabaseView } from "./database-view.ts";
import { runSchemaPhase, type SchemaPhase } from "./schema-phase.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-phase-"));
after(() => rmSync(root, { recursive: true }));
const packageRoot = fileURLToPath(new URL("../../", import.meta.url));
const signal = new AbortController().signal;
const viewOf = (url: string) =>
  new DatabaseView({ url, way: "forward", target: releaseOf("ocata"), clock: systemClock });

test("phases run in glance-manage up to the target, tell their steps, and change what is due", async () => {
  const path = join(root, "glance.sqlite");
  const url = `sqlite:///${path}`;
  writeFileSync(path, "");
  const config = join(root, "glance-api.conf");
  writeFileSync(config, `[database]\nconnection = ${url}\n[perennial]\nrelease = newton\n`);
  const said: string[] = [];
  const phase = (name: SchemaPhase) =>
    runSchemaPhase({
      phase: name,
      target: "ocata",
      config,
      packageRoot,
      signal,
      report: async (text) => void said.push(text),
    });
  const view = viewOf(url);
  try {
    await assert.rejects(view.look(signal), {
      code: "schema.unknown_revision",
      message: /none of the image service's/,
    });
    assert.match((await phase("expand")).text, /^db expand: expanded, at ocata_expand01$/);
    assert(
      said.some((text) => /visibility: done in \d+ ms/.test(text)),
      said.join("\n"),
    );
    view.forgetDue();
    const { due, rows, strangers } = await view.look(signal);
    assert.deepEqual([due, rows, strangers], ["contract", [], []]);
    // A node of the old release that lives: the engine refuses, and its reason arrives whole.
    const db = await openDatabase(url);
    const now = db.dialect.nowSql;
    await db.run(
      `INSERT INTO perennial_nodes (name, address, release_id, package_version, pid, state, started_at, heartbeat_at) VALUES ('old9', 'h:1', 'newton', '1', 1, 'serving', ${now}, ${now})`,
    );
    assert.deepEqual(
      (await view.look(signal)).strangers.map(({ name, release }) => `${name} ${release}`),
      ["old9 newton"],
    );
    await assert.rejects(phase("contract"), { code: "schema.contract_refused", message: /old9/ });
    await db.close();
  } finally {
    await view.close();
  }
});

test("a lost rollout's engine run and a second rollout are kept apart by locks of the database", async () => {
  const path = join(root, "glance.sqlite");
  const [first, second] = [1, 2].map(() => viewOf(`sqlite:///${path}`));
  assert(first && second);
  try {
    await first.hold(signal);
    await first.hold(signal);
    await assert.rejects(second.hold(signal), { code: "schema.locked" });
    await first.close();
    await second.hold(signal);
  } finally {
    await first.close();
    await second.close();
  }
});

test("a package whose glance-manage breaks off without a word is named", async () => {
  const broken = join(root, "broken");
  mkdirSync(join(broken, "bin"), { recursive: true });
  writeFileSync(join(broken, "bin", "glance-manage.js"), "process.stderr.write('boom\\n'); process.exit(9);");
  const options = {
    phase: "migrate",
    target: "ocata",
    config: "c",
    packageRoot: broken,
    signal,
    report: async () => undefined,
  } as const;
  await assert.rejects(runSchemaPhase(options), {
    code: "rollout.driver_failed",
    message: /db migrate ended with 9: boom/,
  });
});

test("a signal reaches glance-manage, which ends at a safe point", async () => {
  const slow = join(root, "slow");
  mkdirSync(join(slow, "bin"), { recursive: true });
  const script = `process.once("SIGTERM", () => { console.log(JSON.stringify({ event: "error", code: "schema.interrupted", message: "stopped" })); process.exit(1); });
    console.log(JSON.stringify({ event: "step", step: "s", status: "applied", ms: 1 })); setInterval(() => {}, 1000);`;
  writeFileSync(join(slow, "bin", "glance-manage.js"), script);
  const stop = new AbortController();
  const report = async () => stop.abort(new Error("stop"));
  const options = {
    phase: "migrate",
    target: "ocata",
    config: "c",
    packageRoot: slow,
    signal: stop.signal,
    report,
  } as const;
  await assert.rejects(runSchemaPhase(options), { code: "schema.interrupted" });
});
