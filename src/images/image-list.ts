// Completes what a client asked of a list: default and cap of its length, and a sort order without ties.
import type { Capabilities } from "../releases/capabilities.ts";
import type { Image } from "./image.ts";
import type { ImageQuery, SortDirection, Viewer } from "./ports.ts";
import type { ImagePage, ListImagesRequest } from "./services.ts";
import type { ImageSettings } from "./settings.ts";

type ListRules = {
  readonly settings: Pick<ImageSettings, "pageImagesDefault" | "pageImagesMax">;
  readonly capabilities: Pick<Capabilities, "hiding">;
};

/** The query that answers the request as this viewer. */
export function toQuery(viewer: Viewer, request: ListImagesRequest, rules: ListRules): ImageQuery {
  const { filters, visibility, memberStatus, marker, hidden = false } = request;
  const { settings, capabilities } = rules;
  return {
    viewer,
    filters,
    memberStatus,
    ...(visibility === undefined ? {} : { visibility }),
    ...(capabilities.hiding ? { hidden } : {}),
    ...(marker === undefined ? {} : { marker }),
    sort: completeSort(request),
    limit: Math.min(request.limit ?? settings.pageImagesDefault, settings.pageImagesMax),
  };
}

/** Only the first term of a key has an effect; created_at and id come last, so that every image has one place in the order. */
function completeSort({ sort, tieDirection }: ListImagesRequest): ImageQuery["sort"] {
  const ties: SortDirection = tieDirection ?? (sort.length === 1 ? sort[0]?.direction : undefined) ?? "desc";
  const terms = [...sort, { key: "created_at", direction: ties } as const, { key: "id", direction: ties } as const];
  const seen = new Set<string>();
  return terms.filter(({ key }) => !seen.has(key) && seen.add(key));
}

/** A full page has a next one, even where it turns out to be empty: the reference's clients follow it. */
export function imagePage(images: readonly Image[], limit: number): ImagePage {
  return { images, limit, nextMarker: (images.length === limit && images.at(-1)?.id) || null };
}
