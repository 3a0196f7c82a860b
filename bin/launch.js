// Starts a command from the compiled package, or from source in a checkout (where src/ exists, which the package leaves out).
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

/**
 * @param {string} name the command's module in src/cli, without its ending
 * @param {(share: typeof import("../src/core/session-share.ts")) => void} [before] what it gives way to, also while it is still being loaded
 */
export async function launch(name, before) {
  if (major < 26 || (major === 26 && minor < 4)) {
    process.stderr.write(
      `${name}: Node.js 26.4 or newer is needed, this is ${process.versions.node}; install the npm package "node"\n`,
    );
    process.exit(78);
  }
  const isSource = existsSync(fileOf(`cli/${name}`, true));
  if (isSource) {
    // Taking the types off takes most of the start; children (workers, commands of a rollout) share what is kept. Not
    // for an installed package: its files may be nobody's to write, and a cache in a shared folder could be planted.
    process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url));
    enableCompileCache(process.env.NODE_COMPILE_CACHE);
  }
  before?.(await import(fileOf("core/session-share", isSource).href));
  await import(fileOf(`cli/${name}`, isSource).href);
}

/** @param {string} path @param {boolean} isSource */
function fileOf(path, isSource) {
  return new URL(isSource ? `../src/${path}.ts` : `../dist/${path}.js`, import.meta.url);
}
