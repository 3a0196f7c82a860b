// How long a node takes to copy an image from one file store into another, beside what the store takes for the same data by itself.
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { adminToken } from "../demo/traffic/actor.ts";
import { openFileStore } from "../src/stores/file/file-store.ts";
import { eventually } from "../test/servers/eventually.ts";
import type { GlanceSite } from "../test/servers/glance.ts";
import { type Figure, median } from "./bench.ts";
import { type MeasuredNode, startOurs } from "./reference-pair.ts";
import { peakMemoryMb } from "./subject.ts";
import { createImage, transferOnce } from "./transfer.ts";

const rounds = 3;
const readBytes = 65_536;
const headers = { "X-Auth-Token": adminToken };

type Options = {
  readonly site: GlanceSite;
  /** Of an empty database. */
  readonly database: string;
  readonly bytes: number;
  progress(text: string): void;
};

export async function storeCopy({ site, database, bytes, progress }: Options): Promise<readonly Figure[]> {
  const place = (name: string) => join(site.folder, "stores", name);
  const node = await startOurs(site, {
    name: "copy",
    database,
    sections: {
      DEFAULT: { enabled_backends: "one:file,two:file", enabled_import_methods: "[copy-image]" },
      glance_store: { default_backend: "one" },
      one: { filesystem_store_datadir: place("one") },
      two: { filesystem_store_datadir: place("two") },
      os_glance_staging_store: { filesystem_store_datadir: site.staging },
    },
  });
  const plain = await openFileStore({ dataDirectory: place("plain"), filePermissions: null, readBytes });
  const copies: number[] = [];
  const puts: number[] = [];
  try {
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      progress(`copy between stores, round ${round} of ${rounds}`);
      const id = await createImage(node.origin);
      await transferOnce("PUT", `${node.origin}/v2/images/${id}/file`, bytes);
      const copyMs = await timed(() => copy(node, id));
      const source = createReadStream(join(place("one"), id), { highWaterMark: readBytes });
      const options = { signal: new AbortController().signal, expectedBytes: bytes };
      const putMs = await timed(() => plain.put(id, source, options));
      await plain.remove(plain.locationFor(id));
      await fetch(`${node.origin}/v2/images/${id}`, { method: "DELETE", headers });
      if (round === 0) continue;
      copies.push(copyMs);
      puts.push(putMs);
    }
  } finally {
    await plain.close();
  }
  const [copyMs, putMs] = [median(copies), median(puts)];
  return [
    { what: "copy to another store", value: bytes / 1_000 / copyMs, unit: "MB/s" },
    { what: "the store alone", value: bytes / 1_000 / putMs, unit: "MB/s" },
    { what: "time of a copy against the store alone", value: copyMs / putMs, unit: "ratio", bound: { atMost: 1.2 } },
    {
      what: "worker's largest resident memory, copying",
      value: peakMemoryMb(node.workerPid),
      unit: "MB",
      bound: { atMost: 250 },
    },
  ];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function copy({ origin }: MeasuredNode, id: string): Promise<void> {
  const body = JSON.stringify({ method: { name: "copy-image" }, stores: ["two"] });
  const begun = await fetch(`${origin}/v2/images/${id}/import`, { method: "POST", headers, body });
  if (begun.status !== 202) throw new Error(`copy-image: ${begun.status} ${await begun.text()}`);
  const show = async () =>
    (await (await fetch(`${origin}/v2/images/${id}`, { headers })).json()) as Readonly<Record<string, string>>;
  const image = await eventually(
    "the image is copied",
    async () => {
      const shown = await show();
      return shown.os_glance_import_task === undefined && shown;
    },
    { msMax: 600_000, everyMs: 10 },
  );
  if (image.stores !== "one,two") throw new Error(`copy-image failed: ${JSON.stringify(image)}`);
}
