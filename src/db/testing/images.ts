// Images for tests of the repositories: a draft with everything in it, and the two ways to look.
import { randomUUID } from "node:crypto";
import type { ImageDraft } from "../../images/image.ts";
import type { Viewer } from "../../images/ports.ts";
import { newestRelease, releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { createImageRepository } from "../repositories/image-repository.ts";
import { createMemberRepository } from "../repositories/member-repository.ts";
import { createUploadRepository } from "../repositories/upload-repository.ts";

export const newton = releaseOf("newton").capabilities;
export const ocata = releaseOf("ocata").capabilities;
export const queens = releaseOf("queens").capabilities;
export const rocky = releaseOf("rocky").capabilities;
export const newest = newestRelease.capabilities;

export const admin: Viewer = { projectId: null, isAdmin: true };
export const project = (projectId: string | null): Viewer => ({ projectId, isAdmin: false });

export function draft(changes: Partial<ImageDraft> = {}): ImageDraft {
  return {
    id: randomUUID(),
    name: "cirros",
    visibility: "private",
    protected: false,
    hidden: false,
    owner: "alice",
    diskFormat: "qcow2",
    containerFormat: "bare",
    minDiskGb: 1,
    minRamMb: 512,
    tags: [],
    properties: {},
    ...changes,
  };
}

/** The repositories of a node that runs as the release. */
export function nodeOf(db: Database, capabilities: typeof newton) {
  return {
    images: createImageRepository(db, capabilities),
    members: createMemberRepository(db, capabilities),
    uploads: createUploadRepository(db, capabilities),
  };
}
