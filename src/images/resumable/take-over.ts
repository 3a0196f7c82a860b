// One request goes on with an upload, in the place of any other that still might: two steps, each of which only the holder of a lease does.
import { randomUUID } from "node:crypto";
import { uploadGone } from "../held-lease.ts";
import { removeLeasedUrl } from "../leased-data.ts";
import type { UploadLease } from "../ports.ts";
import type { ImageServicesDeps } from "../services.ts";
import { type HalfUpload, lastPart, linesOf, withPart } from "./half-upload.ts";

export type Standing = { readonly lease: UploadLease; readonly half: HalfUpload };

/**
 * The lease, now this process's, whose last part is one that is still to be written and begins where all that arrived ends. Fenced first, then
 * measured: what the former holder may write from then on is beyond what counts. Throws images.gone, stores.unavailable.
 */
export async function takeOver(deps: ImageServicesDeps, standing: Standing, seconds: number): Promise<Standing> {
  const { half } = standing;
  const { imageId } = standing.lease;
  const leaseId = randomUUID();
  const mine = { imageId, leaseId, node: deps.node, urls: standing.lease.urls };
  // Whoever finds a lease of data that is being stored waits for its end: until this is sorted out, that end is near.
  const firstSeconds = half.storing ? deps.uploadLeaseSeconds : seconds;
  if (!(await deps.uploads.replace(standing.lease, mine, firstSeconds))) throw uploadGone(imageId);
  // Its process died while it stored the data.
  if (half.storing) await removeLeasedUrl(deps, half.storeUrl, mine);
  const { name, start } = lastPart(half);
  const next = withPart(half, { name: leaseId, start: start + (await deps.parts.size(imageId, name)) });
  const lease = { ...mine, urls: linesOf(next) };
  if (!(await deps.uploads.replace(mine, lease, seconds))) throw uploadGone(imageId);
  return { lease, half: next };
}
