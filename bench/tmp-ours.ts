import { openDatabase } from "../src/db/connect.ts";
import { migrate as migrateData } from "../src/db/schema/migrate.ts";
import { releaseOf } from "../src/releases/catalogue.ts";
import { fill, sampleIds, settle } from "./fill.ts";
import { slowLines } from "./migrate.ts";
import { startProbe } from "./stall-probe.ts";
import { solidStateArgs, startSubject } from "./subject.ts";

const images = Number(process.argv[2]);
const say = (t: string) => console.log(new Date().toISOString().slice(11, 19), t);
const subject = await startSubject({ serverArgs: [...solidStateArgs, ...process.argv.slice(3)] });
try {
  const database = await subject.createDatabase("newton");
  say("fill");
  await fill({ connection: database.connection, images, release: "newton", children: false });
  const r = await database.manage("db", "expand", "--to", "ocata");
  if (r.code) throw new Error(r.stderr);
  const ids = await sampleIds(database.connection, images, 5000);
  say("settle");
  await settle(database.connection);
  const control = await startProbe({ connection: database.connection, ids, writesAs: "newton" });
  await new Promise((r) => setTimeout(r, 60_000));
  const c = await control.stop();
  for (const [k, v] of Object.entries(c)) say(`control ${k} ${v.count} max ${v.maxMs} p99 ${v.p99Ms}`);
  const db = await openDatabase(database.connection);
  const probe = await startProbe({ connection: database.connection, ids, writesAs: "newton" });
  const t0 = performance.now();
  let told = 0,
    lastRows = 0;
  await migrateData({
    db,
    target: releaseOf("ocata"),
    on(event) {
      const ms = performance.now() - t0;
      if (event.event !== "progress") {
        say(`${(ms / 1000).toFixed(1)} ${JSON.stringify(event).slice(0, 200)}`);
        return;
      }
      lastRows = event.rowsDone;
      if (ms - told < 10000) return;
      told = ms;
      say(`${(ms / 1000).toFixed(1)} rows ${lastRows} ${event.rowsPerSecond}`);
    },
  });
  say(`${((performance.now() - t0) / 1000).toFixed(1)} end`);
  const stalls = await probe.stop();
  for (const l of slowLines(stalls)) say(l);
  for (const [k, v] of Object.entries(stalls)) say(`${k} ${v.count} max ${v.maxMs} p99 ${v.p99Ms}`);
  await db.close();
} finally {
  await subject.stop();
}
