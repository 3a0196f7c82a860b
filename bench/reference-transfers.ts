// Uploads and downloads of our node, the reference's, and of what either could be held against: one core that hashes, and nginx.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { adminToken } from "../demo/traffic/actor.ts";
import { type Figure, median } from "./bench.ts";
import { startFileServer } from "./file-server.ts";
import type { ReferencePair } from "./reference-pair.ts";
import { peakMemoryMb } from "./subject.ts";
import { createImage, transferOnce } from "./transfer.ts";

const rounds = 3;
const kinds = ["ours", "theirs"] as const;

type Options = {
  readonly pair: ReferencePair;
  /** Where both keep image data. */
  readonly images: string;
  readonly bytes: number;
  progress(text: string): void;
};

export async function transfersAgainstReference({
  pair,
  images,
  bytes,
  progress,
}: Options): Promise<readonly Figure[]> {
  const files = await startFileServer(images);
  try {
    const speeds = { ours: both(), theirs: both(), nginx: both() };
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      progress(`transfers, round ${round} of ${rounds}`);
      const ids = { ours: await createImage(pair.ours.origin), theirs: await createImage(pair.theirs.origin) };
      const url = (kind: "ours" | "theirs") => `${pair[kind].origin}/v2/images/${ids[kind]}`;
      for (const kind of kinds) speeds[kind].up.push(await transferOnce("PUT", `${url(kind)}/file`, bytes));
      for (const kind of kinds) speeds[kind].down.push(await transferOnce("GET", `${url(kind)}/file`, bytes));
      speeds.nginx.down.push(await transferOnce("GET", `${files.origin}/${ids.ours}`, bytes));
      for (const kind of kinds) await fetch(url(kind), { method: "DELETE", headers: { "X-Auth-Token": adminToken } });
    }
    const [up, theirUp] = [steady(speeds.ours.up), steady(speeds.theirs.up)];
    const [down, theirDown, nginxDown] = [speeds.ours, speeds.theirs, speeds.nginx].map((one) => steady(one.down)) as [
      number,
      number,
      number,
    ];
    const hash = await hashSpeed();
    return [
      { what: "upload with md5 and sha512", value: up, unit: "MB/s" },
      { what: "upload, reference", value: theirUp, unit: "MB/s" },
      { what: "upload against the reference", value: up / theirUp, unit: "ratio", bound: { atLeast: 1.8 } },
      { what: "sha512 on one core (openssl speed)", value: hash, unit: "MB/s" },
      { what: "upload against sha512 on one core", value: up / hash, unit: "ratio", bound: { atLeast: 0.8 } },
      { what: "download", value: down, unit: "MB/s" },
      { what: "download, reference", value: theirDown, unit: "MB/s" },
      { what: "download against the reference", value: down / theirDown, unit: "ratio", bound: { atLeast: 1 } },
      { what: "download, nginx", value: nginxDown, unit: "MB/s" },
      { what: "download against nginx", value: down / nginxDown, unit: "ratio", bound: { atLeast: 0.8 } },
      {
        what: "worker's largest resident memory",
        value: peakMemoryMb(pair.ours.workerPid),
        unit: "MB",
        bound: { atMost: 250 },
      },
      { what: "the same, reference", value: peakMemoryMb(pair.theirs.workerPid), unit: "MB" },
    ];
  } finally {
    await files.stop();
  }
}

const both = () => ({ up: [] as number[], down: [] as number[] });

/** Of all rounds but the first. */
const steady = (values: readonly number[]) => median(values.slice(1));

/** MB/s. */
async function hashSpeed(): Promise<number> {
  const command = ["speed", "-seconds", "3", "-bytes", "1048576", "-evp", "sha512"];
  const { stdout } = await promisify(execFile)("openssl", command);
  const thousands = /^sha512\s+([\d.]+)k$/im.exec(stdout)?.[1];
  if (thousands === undefined) throw new Error(`openssl speed told no figure: ${stdout}`);
  return Number(thousands) / 1_000;
}
