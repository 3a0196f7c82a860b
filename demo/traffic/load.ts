// Loads the sample images through the API, as clients would: created, filled, shared and accepted.
import { contentMd5, contentStream, type SampleImage } from "../images.ts";
import { adminToken, type LoadedSample, memberToken } from "./actor.ts";
import { HttpClient, type Tokens } from "./http-client.ts";
import { parseImage } from "./image-json.ts";
import type { Recorder } from "./recorder.ts";

/** Three at a time. Throws where one cannot be loaded: without its images there is nothing to show. */
export async function loadSamples(
  origin: string,
  recorder: Recorder,
  images: readonly SampleImage[],
  onLoaded: (count: number) => void = () => undefined,
  tokens?: Tokens,
): Promise<LoadedSample[]> {
  const loaded: LoadedSample[] = [];
  const waiting = [...images];
  const worker = async () => {
    const client = new HttpClient(origin, recorder, tokens);
    for (let image = waiting.shift(); image; image = waiting.shift()) {
      loaded.push(await loadOne(client, recorder, image));
      onLoaded(loaded.length);
    }
    client.close();
  };
  await Promise.all([worker(), worker(), worker()]);
  return loaded.sort((one, other) => one.name.localeCompare(other.name));
}

async function loadOne(client: HttpClient, recorder: Recorder, image: SampleImage): Promise<LoadedSample> {
  const must = async (call: Parameters<HttpClient["call"]>[0]) => {
    const answer = await client.call(call);
    if (!answer) throw new Error(`${image.name} could not be loaded: ${recorder.failures.at(-1)?.what}`);
    return answer;
  };
  const created = await must({
    kind: "create",
    method: "POST",
    path: "/v2/images",
    token: adminToken,
    json: {
      name: image.name,
      owner: image.project,
      // What is not public keeps the release's default, which members can be given to at every release.
      ...(image.visibility === "public" ? { visibility: "public" } : {}),
      disk_format: image.content.format,
      container_format: "bare",
      tags: image.tags,
      ...image.properties,
    },
    expect: [201],
  });
  const { id } = parseImage(created);
  const path = `/v2/images/${id}`;
  const owner = memberToken(image.project);
  const headers = { "Content-Type": "application/octet-stream", "Content-Length": image.content.sizeBytes };
  const body = contentStream(image.content);
  const [, md5] = await Promise.all([
    must({ kind: "upload", method: "PUT", path: `${path}/file`, token: owner, headers, body, expect: [204] }),
    contentMd5(image.content),
  ]);
  for (const [index, member] of image.members.entries()) {
    const base = { kind: "members", token: owner, expect: [200] };
    await must({ ...base, method: "POST", path: `${path}/members`, json: { member } });
    if (index > 0) continue;
    const json = { status: "accepted" };
    await must({ ...base, method: "PUT", path: `${path}/members/${member}`, token: memberToken(member), json });
  }
  return { ...image, id, md5 };
}
