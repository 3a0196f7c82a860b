// Builds the console's page from console/ to dist/console-page, or the folder that is named. What stands there is replaced at once when the new
// page is whole: a console that is being started next to it never reads half of one.
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../", import.meta.url));
const target = resolve(process.argv[2] ?? join(root, "dist", "console-page"));

mkdirSync(dirname(target), { recursive: true });
// Beside the target, so that renaming it is one step.
const folder = mkdtempSync(join(dirname(target), ".console-"));
try {
  const made = join(folder, "made");
  await build({ configFile: join(root, "console", "vite.config.ts"), build: { outDir: made, emptyOutDir: true } });
  if (existsSync(target)) renameSync(target, join(folder, "before"));
  try {
    renameSync(made, target);
  } catch {
    // Somebody else's new page came first; both are of the same sources.
    if (!existsSync(join(target, "index.html"))) cpSync(made, target, { recursive: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
