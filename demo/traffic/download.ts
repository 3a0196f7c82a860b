// Downloading, whole and in ranges: every byte is compared with what was uploaded.

import { ContentCheck, type ImageContent } from "../images.ts";
import { type Actor, type Kind, memberToken, pick, visibleTo } from "./actor.ts";

type Data = { readonly id: string; readonly content: ImageContent; readonly md5: string };

/** Large samples are fetched at the end, when all images are checked; meanwhile they would only fill the machine. */
const wholeBytesMax = 8 * 1_048_576;

export const download: Kind = {
  name: "download",
  weight: 6,
  ready: () => true,
  async run(actor) {
    const data = pickData(actor, wholeBytesMax);
    if (data) await getData(actor, data, { kind: "download" });
  },
};

/** Compares the whole of an image; false where that failed, which is recorded. */
export async function getData(
  actor: Pick<Actor, "client" | "project">,
  data: Data,
  options: { kind: string; pace?: () => Promise<void>; timeoutMs?: number },
): Promise<boolean> {
  const content = new ContentCheck(data.content);
  const answer = await actor.client.call({
    kind: options.kind,
    method: "GET",
    path: `/v2/images/${data.id}/file`,
    token: memberToken(actor.project),
    expect: [200],
    onChunk: async (chunk) => {
      content.chunk(chunk);
      await options.pace?.();
    },
    check: ({ headers }) =>
      content.verdict() ??
      (headers["content-md5"] === data.md5 ? undefined : `Content-MD5 is ${headers["content-md5"]}`),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  return answer !== undefined;
}

export const range: Kind = {
  name: "range",
  weight: 8,
  ready: () => true,
  async run(actor) {
    const data = pickData(actor, Number.MAX_SAFE_INTEGER);
    if (!data) return;
    const { sizeBytes } = data.content;
    const start = Math.floor(actor.random() * sizeBytes);
    const end = Math.min(sizeBytes, start + 1 + Math.floor(actor.random() * 300_000));
    const fromEnd = actor.random() < 0.2;
    const [first, afterLast] = fromEnd ? [sizeBytes - (end - start), sizeBytes] : [start, end];
    const content = new ContentCheck(data.content, first, afterLast);
    const expected = `bytes ${first}-${afterLast - 1}/${sizeBytes}`;
    await actor.client.call({
      kind: "range",
      method: "GET",
      path: `/v2/images/${data.id}/file`,
      token: memberToken(actor.project),
      headers: { Range: fromEnd ? `bytes=-${end - start}` : `bytes=${first}-${afterLast - 1}` },
      expect: [206],
      onChunk: (chunk) => content.chunk(chunk),
      check: ({ headers }) =>
        content.verdict() ??
        (headers["content-range"] === expected
          ? undefined
          : `Content-Range is ${headers["content-range"]}, expected ${expected}`),
    });
  },
};

function pickData(actor: Actor, bytesMax: number): Data | undefined {
  const own = actor.own.flatMap(({ id, data }) => (data ? [{ id, ...data }] : []));
  const samples = actor.samples.filter((sample) => visibleTo(sample, actor.project));
  const all: readonly Data[] = actor.random() < 0.4 && own.length > 0 ? own : samples;
  return pick(
    actor,
    all.filter((data) => data.content.sizeBytes <= bytesMax),
  );
}
