// The last act: every image of the fleet is downloaded whole and compared byte by byte with what was uploaded.

import { ContentCheck, type ImageContent } from "./images.ts";
import { type Actor, adminToken, type LoadedSample } from "./traffic/actor.ts";
import { HttpClient, type Tokens } from "./traffic/http-client.ts";
import type { Recorder } from "./traffic/recorder.ts";

export type ImageCheck = { readonly checked: number; readonly wrong: readonly string[] };

/** Two at a time: the comparison takes a core as the service does. */
export async function checkImages(options: {
  origin: string;
  recorder: Recorder;
  samples: readonly LoadedSample[];
  actors: readonly Actor[];
  tokens?: Tokens;
  onChecked?: (count: number) => void;
}): Promise<ImageCheck> {
  const { origin, recorder, samples, actors, tokens, onChecked } = options;
  const own = actors.flatMap((actor) =>
    actor.own.flatMap(({ id, name, data }) => (data ? [{ id, name, ...data }] : [])),
  );
  const waiting: { id: string; name: string; content: ImageContent; md5: string }[] = [...samples, ...own];
  const wrong: string[] = [];
  let checked = 0;
  const worker = async () => {
    const client = new HttpClient(origin, recorder, tokens);
    for (let image = waiting.pop(); image; image = waiting.pop()) {
      const { id, name, content, md5 } = image;
      const check = new ContentCheck(content);
      const answer = await client.call({
        kind: "final download",
        method: "GET",
        path: `/v2/images/${id}/file`,
        token: adminToken,
        expect: [200],
        onChunk: (chunk) => check.chunk(chunk),
        check: ({ headers }) => check.verdict() ?? (headers["content-md5"] === md5 ? undefined : "wrong Content-MD5"),
      });
      if (!answer) wrong.push(`${name} (${id}): ${recorder.failures.at(-1)?.what ?? "failed"}`);
      checked++;
      onChecked?.(checked);
    }
    client.close();
  };
  await Promise.all([worker(), worker()]);
  return { checked, wrong };
}
