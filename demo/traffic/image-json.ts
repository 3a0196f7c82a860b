// Reads image documents of the API, and says what is wrong with one that is known beforehand.
import type { LoadedSample, OwnImage } from "./actor.ts";
import type { Answer } from "./http-client.ts";

export type ImageJson = Readonly<Record<string, unknown>> & { readonly id: string; readonly tags: readonly string[] };

/** Throws where the body is no JSON object; the caller's check turns that into a failure. */
export function parseImage(answer: Answer): ImageJson {
  return JSON.parse(answer.body) as ImageJson;
}

export function parseList(answer: Answer): { images: readonly ImageJson[]; next?: string } {
  return JSON.parse(answer.body) as { images: readonly ImageJson[]; next?: string };
}

/** At Newton what is not public shows as private; from Ocata on it may be shared or private. */
function visibilityWrong(seen: unknown, expected: "public" | "private" | "other"): boolean {
  return (seen === "public") !== (expected === "public") || !["public", "private", "shared"].includes(String(seen));
}

/** The first thing about `seen` that is not as it was uploaded. */
export function sampleWrong(seen: ImageJson, sample: LoadedSample): string | undefined {
  return (
    firstWrong(seen, {
      id: sample.id,
      name: sample.name,
      status: "active",
      owner: sample.project,
      checksum: sample.md5,
      size: sample.content.sizeBytes,
      disk_format: sample.content.format,
      ...sample.properties,
    }) ?? commonWrong(seen, sample.visibility, sample.tags)
  );
}

export function ownWrong(seen: ImageJson, own: OwnImage): string | undefined {
  return (
    firstWrong(seen, {
      id: own.id,
      name: own.name,
      status: own.data ? "active" : "queued",
      checksum: own.data?.md5 ?? null,
      size: own.data?.content.sizeBytes ?? null,
      ...Object.fromEntries(own.properties),
    }) ?? commonWrong(seen, own.visibility, [...own.tags])
  );
}

function firstWrong(seen: ImageJson, expected: Readonly<Record<string, unknown>>): string | undefined {
  for (const [key, value] of Object.entries(expected))
    if (seen[key] !== value) return `${key} is ${JSON.stringify(seen[key])}, expected ${JSON.stringify(value)}`;
  return undefined;
}

function commonWrong(
  seen: ImageJson,
  visibility: "public" | "private" | "other",
  tags: readonly string[],
): string | undefined {
  if (visibilityWrong(seen.visibility, visibility))
    return `visibility is ${JSON.stringify(seen.visibility)}, expected ${visibility}`;
  if ([...seen.tags].sort().join() !== [...tags].sort().join())
    return `tags are ${JSON.stringify(seen.tags)}, expected ${JSON.stringify(tags)}`;
  return undefined;
}
