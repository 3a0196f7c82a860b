// Uploading: data of a known content goes up, and the image must then show its size and checksum.

import type { Readable } from "node:stream";
import { contentMd5, contentStream, type ImageContent, qcow2Content, rawContent } from "../images.ts";
import { type Actor, forget, type Kind, memberToken, type OwnImage, ownImagesMax } from "./actor.ts";
import { createOwn } from "./create.ts";
import { ownWrong, parseImage } from "./image-json.ts";

export const upload: Kind = {
  name: "upload",
  weight: 5,
  ready: (actor) => actor.own.length < ownImagesMax,
  async run(actor) {
    const sizeBytes = 20_000 + Math.floor(actor.random() ** 3 * 4_000_000);
    const content = someContent(actor, sizeBytes);
    const own = await createOwn(actor, "create", content.format);
    if (!own) return;
    await putData(actor, own, { kind: "upload", content, body: contentStream(content) });
  },
};

export function someContent(actor: Actor, sizeBytes: number): ImageContent {
  const name = `upload-${Math.floor(actor.random() * 1e9)}`;
  const make = actor.random() < 0.5 ? rawContent : qcow2Content;
  return make(actor.seed, name, sizeBytes);
}

/** Uploads and looks at the result; false where either failed, which is recorded. */
export async function putData(
  actor: Actor,
  own: OwnImage,
  options: { kind: string; content: ImageContent; body: Readable; timeoutMs?: number },
): Promise<boolean> {
  const { kind, content, body, timeoutMs } = options;
  const token = memberToken(actor.project);
  const md5 = await contentMd5(content);
  const stored = await actor.client.call({
    kind,
    method: "PUT",
    path: `/v2/images/${own.id}/file`,
    token,
    headers: { "Content-Type": "application/octet-stream", "Content-Length": content.sizeBytes },
    body,
    expect: [204],
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (!stored) {
    forget(actor, own);
    return false;
  }
  own.data = { content, md5 };
  const shown = await actor.client.call({
    kind: "show",
    method: "GET",
    path: `/v2/images/${own.id}`,
    token,
    expect: [200],
    check: (answer) => ownWrong(parseImage(answer), own),
  });
  return shown !== undefined;
}
