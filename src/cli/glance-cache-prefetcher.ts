// The command `glance-cache-prefetcher`: fetches into this node's cache what was queued for it.
import { prefetchQueued } from "../cache/prefetch.ts";
import { createImageRepository } from "../db/repositories/image-repository.ts";
import { runCacheTool } from "./cache-tool.ts";
import { openStores } from "./wire-stores.ts";

await runCacheTool({
  name: "glance-cache-prefetcher",
  description:
    "Goes once through the queue of this node's image cache and fetches what is in it from the stores. From Ussuri on nodes do so by themselves (cache_prefetcher_interval).",
  async run({ cache, config, release, logger, openDb, stack, signal }) {
    const images = createImageRepository(await openDb(), release.capabilities);
    const stores = await openStores(config, release.capabilities, stack);
    const outcome = await prefetchQueued({ cache, images, stores, logger }, signal);
    const { fetched, waiting, dropped } = outcome;
    const rest = `${waiting.length} stay queued, ${dropped.length} had nothing to fetch`;
    return { text: `Fetched ${fetched.length} images; ${rest}.`, json: outcome, failed: waiting.length > 0 };
  },
});
