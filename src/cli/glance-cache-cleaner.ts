// The command `glance-cache-cleaner`: takes away what processes that died left in this node's cache.
import { runCacheTool } from "./cache-tool.ts";

await runCacheTool({
  name: "glance-cache-cleaner",
  description:
    "Removes unfinished and invalid copies from this node's image cache that nobody has touched for image_cache_stall_time. Nodes do so by themselves at every look at their queue.",
  async run({ cache }) {
    const files = await cache.clean();
    return { text: `Removed ${files} unfinished or invalid files.`, json: { total_files_removed: files } };
  },
});
