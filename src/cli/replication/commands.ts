// The commands of glance-replicator. Each looks at every image and does what is still missing: whatever ended one before, it goes on.
import type { Readable } from "node:stream";
import { ClientFailure } from "../client-failure.ts";
import { checkedData } from "./checked-data.ts";
import { type ImageDump, recordText } from "./image-dump.ts";
import {
  creatable,
  type Difference,
  dataDifferences,
  differences,
  type ImageRecord,
  labelOf,
  patchFor,
} from "./image-record.ts";
import { type ImageServer, ServerFailure } from "./image-server.ts";
import { bytesText, type ReplicationOutput } from "./replication-output.ts";

export type Replication = {
  readonly output: ReplicationOutput;
  /** Fields that are left as they are. */
  readonly left: ReadonlySet<string>;
  readonly metaOnly: boolean;
  readonly signal: AbortSignal;
};

/** A service, or a dump of one. */
export type ImageSource = {
  images(): AsyncIterable<ImageRecord>;
  data(image: ImageRecord): Promise<Readable>;
};

export async function size(source: ImageSource): Promise<{ readonly images: number; readonly bytes: number }> {
  let [images, bytes] = [0, 0];
  for await (const image of source.images()) {
    if (image.status !== "active") continue;
    images++;
    bytes += image.size ?? 0;
  }
  return { images, bytes };
}

/** An image of the source that the target has not, or has otherwise. */
export type Compared = {
  readonly image: ImageRecord;
  readonly missing: boolean;
  readonly fields: readonly Difference[];
};

export async function* compare(
  source: ImageSource,
  target: ImageServer,
  left: ReadonlySet<string>,
): AsyncGenerator<Compared> {
  for await (const image of source.images()) {
    const there = await target.find(image.id);
    const fields = there ? differences(image, there, left) : [];
    const missing = there === null && image.status === "active";
    if (missing || fields.length > 0) yield { image, missing, fields };
  }
}

export async function dump(source: ImageSource, target: ImageDump, replication: Replication): Promise<void> {
  await target.prepare();
  await eachActive(source, replication, async (image) => {
    const { output, metaOnly, signal } = replication;
    const before = await target.find(image.id);
    const needsData = !metaOnly && !before?.whole;
    if (needsData) await target.putData(image, await dataOf(source, image, output), signal);
    const changed = before?.text !== recordText(image);
    if (changed) await target.putRecord(image);
    if (needsData) output.line(`${labelOf(image)}: dumped, ${bytesText(image.size ?? 0)}`);
    else if (changed) output.line(`${labelOf(image)}: metadata dumped`);
    else output.detail(`${labelOf(image)}: is there`);
  });
}

/** From a service, or from a dump. */
export async function copy(source: ImageSource, target: ImageServer, replication: Replication): Promise<void> {
  await eachActive(source, replication, (image) => copyOne(source, target, image, replication));
}

async function copyOne(
  source: ImageSource,
  target: ImageServer,
  image: ImageRecord,
  { output, left, metaOnly }: Replication,
): Promise<void> {
  const label = labelOf(image);
  let there = await target.find(image.id);
  if (metaOnly && there === null) return output.line(`${label}: left out, the target has no such image`);
  if (there !== null && there.status !== "active" && there.status !== "queued")
    return output.line(`${label}: left out, it is ${there.status} on the target`);
  const needsData = !metaOnly && there?.status !== "active";
  if (needsData) {
    // Opened first: without data there shall be no image.
    const data = await dataOf(source, image, output);
    try {
      if (there === null) await target.create(creatable(image, left));
      await target.upload(image.id, data, image.size ?? 0);
    } finally {
      data.destroy();
    }
    there = await target.find(image.id);
    output.line(`${label}: copied, ${bytesText(image.size ?? 0)}`);
  }
  if (there === null) throw new ClientFailure("it is gone from the target");
  if (!metaOnly) requireSameData(image, there);
  const steps = patchFor(differences(image, there, left), there);
  if (steps.length > 0) {
    await target.update(image.id, steps);
    output.line(`${label}: metadata changed: ${steps.map(({ path }) => path.slice(1)).join(", ")}`);
  } else if (!needsData) output.detail(`${label}: is the same`);
}

/** What was uploaded is never changed. */
function requireSameData(image: ImageRecord, there: ImageRecord): void {
  const [different] = dataDifferences(image, there);
  if (!different) return;
  const { field, source, target } = different;
  throw new ClientFailure(
    `the target has other data (${field} ${source}, there ${target}): delete the image there to have it copied`,
  );
}

async function dataOf(source: ImageSource, image: ImageRecord, output: ReplicationOutput): Promise<Readable> {
  return checkedData(await source.data(image), image, output.transfer(labelOf(image), image.size ?? 0));
}

/** One image that fails is said, and the next one comes all the same; where a service is away there is no next one. */
async function eachActive(
  source: ImageSource,
  { output, signal }: Replication,
  work: (image: ImageRecord) => Promise<void>,
): Promise<void> {
  for await (const image of source.images()) {
    if (image.status !== "active") {
      output.line(`${labelOf(image)}: left out, it is ${image.status}`);
      continue;
    }
    try {
      await work(image);
    } catch (error) {
      if (signal.aborted || error instanceof ServerFailure || !(error instanceof ClientFailure)) throw error;
      output.failure(`${labelOf(image)}: ${error.message}`);
    }
  }
}
