// An image as the domain hands it over, for tests of what the API makes of it.
import type { Image } from "../../images/image.ts";

export function newImage(changes: Partial<Image>): Image {
  return {
    id: "00000000-0000-4000-8000-000000000000",
    name: null,
    status: "queued",
    visibility: "private",
    protected: false,
    hidden: false,
    owner: null,
    diskFormat: null,
    containerFormat: null,
    minDiskGb: 0,
    minRamMb: 0,
    sizeBytes: null,
    virtualSizeBytes: null,
    checksum: null,
    hashAlgorithm: null,
    hashValue: null,
    createdAt: "2026-01-31T12:00:00Z",
    updatedAt: "2026-01-31T12:00:00Z",
    tags: [],
    properties: {},
    locations: [],
    ...changes,
  };
}
