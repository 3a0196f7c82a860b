// The least a Node server can do with image data: pipe a request's body into a file, and a file into a response.
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const [folder = "", port = "0"] = process.argv.slice(2);
const file = join(folder, "bare");

createServer(async (request, response) => {
  if (request.method === "PUT") {
    await pipeline(request, createWriteStream(file));
    response.writeHead(204).end();
    return;
  }
  const { size } = await stat(file);
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": size });
  await pipeline(createReadStream(file), response);
}).listen(Number(port), "127.0.0.1");
