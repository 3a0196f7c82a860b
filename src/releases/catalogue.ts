// The ordered catalogue of releases: what each one speaks on the wire and expects of the database.
// Code asks a release for a capability; nobody compares release names. The steps of a release that changes the database
// stand in db/releases/<id>/; a release that changes nothing there has only its entry here.
import assert from "node:assert/strict";

export type ReleaseId = "newton" | "ocata";
export type Visibility = "public" | "private" | "shared" | "community";
export type ApiVersionStatus = "CURRENT" | "SUPPORTED" | "EXPERIMENTAL" | "DEPRECATED";

/** What nodes of a release can do; the facts come from the reference implementation at that release's tag. */
export type Capabilities = {
  /** How images.visibility is kept: before Ocata the boolean column is_public was all there was. */
  readonly visibilityStoredAs: "is_public" | "visibility";
  /** Values an image may be given. */
  readonly visibilities: readonly Visibility[];
  readonly visibilityDefault: Visibility;
  /** Values `GET /v2/images?visibility=` takes. */
  readonly visibilityFilters: readonly Visibility[];
  /** Since Ocata members exist on shared images only; before, on every image that is not public. */
  readonly membersOnSharedOnly: boolean;
  /** Defaults of [image_format] disk_formats and container_formats. */
  readonly diskFormats: readonly string[];
  readonly containerFormats: readonly string[];
};

export type Release = {
  readonly id: ReleaseId;
  /** Position in the catalogue: greater is newer. */
  readonly order: number;
  /** The order of `GET /versions`, as clients see it. */
  readonly apiVersions: readonly { readonly id: string; readonly status: ApiVersionStatus }[];
  /** alembic_version after expand and after contract; null where the release has no step of that phase of its own. */
  readonly heads: { readonly expanded: string | null; readonly contracted: string };
  readonly capabilities: Capabilities;
};

const containerFormats = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker"] as const;
const diskFormatsNewton = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso"] as const;

export const releases: readonly Release[] = [
  {
    id: "newton",
    order: 0,
    // v1 is not served (README, compatibility), so it is not announced either.
    apiVersions: announce("v2.4", "v2.3", "v2.2", "v2.1", "v2.0"),
    heads: { expanded: null, contracted: "mitaka02" },
    capabilities: {
      visibilityStoredAs: "is_public",
      visibilities: ["public", "private"],
      visibilityDefault: "private",
      visibilityFilters: ["public", "private", "shared"],
      membersOnSharedOnly: false,
      diskFormats: diskFormatsNewton,
      containerFormats,
    },
  },
  {
    id: "ocata",
    order: 1,
    apiVersions: announce("v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"),
    heads: { expanded: "ocata_expand01", contracted: "ocata_contract01" },
    capabilities: {
      visibilityStoredAs: "visibility",
      visibilities: ["public", "private", "shared", "community"],
      visibilityDefault: "shared",
      visibilityFilters: ["public", "private", "shared", "community"],
      membersOnSharedOnly: true,
      diskFormats: [...diskFormatsNewton, "ploop"],
      containerFormats,
    },
  },
];

function announce(current: string, ...supported: readonly string[]): Release["apiVersions"] {
  return [{ id: current, status: "CURRENT" }, ...supported.map((id) => ({ id, status: "SUPPORTED" as const }))];
}

export const oldestRelease: Release = releases[0] ?? assert.fail("the catalogue is not empty");
export const newestRelease: Release = releases.at(-1) ?? assert.fail("the catalogue is not empty");
export const releaseIds: readonly ReleaseId[] = releases.map((release) => release.id);

export function isReleaseId(text: string): text is ReleaseId {
  return releases.some((release) => release.id === text);
}

export function releaseOf(id: ReleaseId): Release {
  return releases.find((release) => release.id === id) ?? assert.fail(`release ${id} is not in the catalogue`);
}
