// The command `glance-cache-pruner`: makes room in this node's cache.
import { runCacheTool } from "./cache-tool.ts";

await runCacheTool({
  name: "glance-cache-pruner",
  description:
    "Removes what was not read for the longest time from this node's image cache until image_cache_max_size is kept. Nodes do so by themselves whenever a copy is added.",
  async run({ cache }) {
    const { files, bytes } = await cache.prune();
    return {
      text: `Pruned ${files} images, ${bytes} bytes.`,
      json: { total_files_pruned: files, total_bytes_pruned: bytes },
    };
  },
});
