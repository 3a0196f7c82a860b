// The ordered catalogue of releases: what each one speaks on the wire and expects of the database.
// Code asks a release for a capability; nobody compares release names. The steps of a release that changes the database
// stand in db/releases/<id>/; a release that changes nothing there has only its entry here.
import assert from "node:assert/strict";
import {
  type ApiVersions,
  pikeVersions,
  plain,
  rockyVersions,
  withStores,
  withStoresAndCache,
} from "./api-versions.ts";
import {
  type Capabilities,
  firstCapabilities,
  laterHashCapabilities,
  ocataCapabilities,
  pikeCapabilities,
  queensCapabilities,
  rockyCapabilities,
  steinCapabilities,
  trainCapabilities,
  ussuriCapabilities,
  wallabyCapabilities,
  zedCapabilities,
} from "./capabilities.ts";
import { antelopePolicy, gazpachoPolicy, xenaPolicy, yogaPolicy } from "./policy-traits.ts";
import { weighedStores, yogaStores } from "./store-traits.ts";

export const releaseIds = [
  "newton",
  "ocata",
  "pike",
  "queens",
  "rocky",
  "stein",
  "train",
  "ussuri",
  "victoria",
  "wallaby",
  "xena",
  "yoga",
  "zed",
  "2023.1",
  "2023.2",
  "2024.1",
  "2024.2",
  "2025.1",
  "2025.2",
  "2026.1",
] as const;
export type ReleaseId = (typeof releaseIds)[number];

/** A pair of revisions of the reference's chain: the contract of each depends on its expand. */
export type RevisionPair = { readonly expand: string; readonly contract: string };

export type Release = {
  readonly id: ReleaseId;
  /** Position in the catalogue: greater is newer. */
  readonly order: number;
  /** What `GET /versions` lists. */
  readonly apiVersions: ApiVersions;
  /** The revisions this release brought, in order; many changed nothing, and many releases brought none. */
  readonly revisions: readonly RevisionPair[];
  /** How many pairs of revisions there are up to this release: what the database has to show for it (db/schema/revisions.ts). */
  readonly level: number;
  /** What alembic_version shows when the release's expand, and when its contract, is done; null where nothing was ever expanded. */
  readonly heads: { readonly expanded: string | null; readonly contracted: string };
  readonly capabilities: Capabilities;
};

type Entry = {
  /** Absent: as the release before. */
  readonly apiVersions?: ApiVersions;
  /** `ocata01` stands for `ocata_expand01` and `ocata_contract01`. */
  readonly revisions?: readonly string[];
  readonly changes?: Partial<Capabilities>;
};

/** The revision a finished Newton database shows. */
export const firstRevision = "mitaka02";

// Xena, Yoga and Zed wrote no revisions of their own: 2023.1 brought empty ones for them along with its own.
const entries: Readonly<Record<ReleaseId, Entry>> = {
  newton: { apiVersions: plain(4) },
  ocata: { apiVersions: plain(5), revisions: ["ocata01"], changes: ocataCapabilities },
  pike: { apiVersions: pikeVersions, revisions: ["pike01"], changes: pikeCapabilities },
  queens: { apiVersions: plain(6), revisions: ["queens01"], changes: queensCapabilities },
  rocky: { apiVersions: rockyVersions, revisions: ["rocky01", "rocky02"], changes: rockyCapabilities },
  stein: { changes: steinCapabilities },
  train: { apiVersions: withStores(9), revisions: ["train01"], changes: trainCapabilities },
  ussuri: { apiVersions: withStores(10), revisions: ["ussuri01"], changes: ussuriCapabilities },
  victoria: { apiVersions: withStores(11), changes: { contentInspection: "records" } },
  wallaby: { apiVersions: withStores(12), revisions: ["wallaby01"], changes: wallabyCapabilities },
  xena: { changes: { policy: xenaPolicy, stagedSize: true, unifiedLimits: true } },
  yoga: {
    apiVersions: withStoresAndCache(16),
    changes: { policy: yogaPolicy, stores: yogaStores, metadefTagsAppended: true, cacheApi: true, usageInfo: true },
  },
  zed: { changes: { ...zedCapabilities, schemeHeader: false } },
  "2023.1": { revisions: ["xena01", "yoga01", "zed01", "2023_101"], changes: { policy: antelopePolicy } },
  "2023.2": { changes: { stores: weighedStores } },
  "2024.1": { revisions: ["2024_101"], changes: { cacheInDatabase: true } },
  "2024.2": { apiVersions: withStoresAndCache(17), changes: laterHashCapabilities },
  "2025.1": { changes: { contentInspection: "refuses" } },
  "2025.2": { changes: { imageSizeHeader: true } },
  "2026.1": { changes: { policy: gazpachoPolicy, requiredProperties: true } },
};

export const releases: readonly Release[] = build();

function build(): readonly Release[] {
  const made: Release[] = [];
  for (const [order, id] of releaseIds.entries()) {
    const entry = entries[id];
    const before = made.at(-1);
    const revisions = (entry.revisions ?? []).map(pairOf);
    const last = revisions.at(-1);
    made.push({
      id,
      order,
      apiVersions: entry.apiVersions ?? before?.apiVersions ?? assert.fail("the first release says what it announces"),
      revisions,
      level: (before?.level ?? 0) + revisions.length,
      heads: last
        ? { expanded: last.expand, contracted: last.contract }
        : (before?.heads ?? { expanded: null, contracted: firstRevision }),
      capabilities: { ...(before?.capabilities ?? firstCapabilities), ...entry.changes },
    });
  }
  return made;
}

function pairOf(short: string): RevisionPair {
  const [, name = "", number = ""] = /^(.+)(\d\d)$/.exec(short) ?? assert.fail(`${short} ends in two digits`);
  return { expand: `${name}_expand${number}`, contract: `${name}_contract${number}` };
}

export const oldestRelease: Release = releases[0] ?? assert.fail("the catalogue is not empty");
export const newestRelease: Release = releases.at(-1) ?? assert.fail("the catalogue is not empty");

export function isReleaseId(text: string): text is ReleaseId {
  return releases.some((release) => release.id === text);
}

export function releaseOf(id: ReleaseId): Release {
  return releases.find((release) => release.id === id) ?? assert.fail(`release ${id} is not in the catalogue`);
}
