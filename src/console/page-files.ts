// The built page, read once and served from memory: a handful of small files, named by Vite after what is in them.
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import type { FastifyInstance } from "fastify";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Paths of the page's own views are the document too: which of them is shown stands behind the #. */
export function servePage(app: FastifyInstance, folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const path = name === "index.html" ? "/" : `/${name.replaceAll("\\", "/")}`;
    const plain = readFileSync(join(folder, name));
    const packed = brotliCompressSync(plain);
    // A name with a hash in it never has other content.
    const cache = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    app.get(path, (request, reply) => {
      const takesPacked = /\bbr\b/.test(request.headers["accept-encoding"] ?? "");
      reply.headers({ "content-type": type, "cache-control": cache, vary: "accept-encoding" });
      if (takesPacked) reply.header("content-encoding", "br");
      return reply.send(takesPacked ? packed : plain);
    });
  }
}
