// The repository in memory, which tests of the API stand on, keeps the promises of the real ones.
import { test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { createMemoryMetadefs } from "./testing/memory-metadefs.ts";
import { metadefPromises } from "./testing/metadef-conformance.ts";

for (const { title, run } of metadefPromises)
  test(`metadefs in memory: ${title}`, () => run(createMemoryMetadefs(systemClock)));
