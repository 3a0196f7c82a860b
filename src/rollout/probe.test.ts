// The synthetic gate against a small image service that can be made to misbehave in every step; nothing is ever left behind.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type ProbeOptions, probeNode } from "./probe.ts";
import { startTestServer, type TestServer } from "./testing/test-server.ts";

type Image = { id: string; name: string; data?: Buffer };
type Fault =
  | "list"
  | "create"
  | "upload"
  | "show"
  | "checksum"
  | "download"
  | "garbled"
  | "delete"
  | "silent"
  | undefined;

async function withService(
  check: (service: {
    images: Map<string, Image>;
    options: ProbeOptions;
    fault: (fault: Fault) => void;
    tokens: Set<string>;
  }) => Promise<void>,
): Promise<void> {
  const images = new Map<string, Image>();
  const tokens = new Set<string>();
  let fault: Fault;
  let ids = 0;
  const server: TestServer = await startTestServer("n1");
  server.handle = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    tokens.add(String(request.headers["x-auth-token"]));
    const [, , , id = "", file] = (request.url ?? "").split("?")[0]?.split("/") ?? [];
    const image = images.get(id);
    const step = file
      ? request.method === "PUT"
        ? "upload"
        : "download"
      : id
        ? request.method === "DELETE"
          ? "delete"
          : "show"
        : request.method === "POST"
          ? "create"
          : "list";
    if (fault === "silent" && step === "upload") return;
    if (fault === step) return void response.writeHead(500).end("<html><h1>500</h1> out of order</html>");
    if (step === "list")
      return void response.end(JSON.stringify({ images: [...images.values()].map(({ id }) => ({ id })) }));
    if (step === "create") {
      const made = { id: `i${ids++}`, name: JSON.parse(body.toString()).name };
      images.set(made.id, made);
      return void response.writeHead(201).end(JSON.stringify(made));
    }
    if (!image) return void response.writeHead(404).end();
    if (step === "upload") {
      image.data = body;
      return void response.writeHead(204).end();
    }
    if (step === "show") {
      const checksum =
        fault === "checksum"
          ? "0"
          : createHash("md5")
              .update(image.data ?? "")
              .digest("hex");
      return void response.end(JSON.stringify({ id, status: image.data ? "active" : "queued", checksum }));
    }
    if (step === "download") return void response.end(fault === "garbled" ? Buffer.from("other data") : image.data);
    images.delete(id);
    return void response.writeHead(204).end();
  };
  const options = {
    node: "n1",
    address: server.address,
    token: "a:b:c",
    imageName: "probe",
    signal: AbortSignal.timeout(5_000),
  };
  try {
    await check({
      images,
      tokens,
      options,
      fault: (next) => {
        fault = next;
      },
    });
  } finally {
    await server.stop();
  }
}

test("probe: creates, fills, reads and deletes an image with the fleet's token, and removes what an earlier one left", () =>
  withService(async ({ images, options, tokens }) => {
    images.set("old", { id: "old", name: "probe" });
    assert.match(await probeNode(options), /n1 created, filled, returned and deleted an image in \d+ ms/);
    assert.equal(images.size, 0);
    assert.deepEqual(tokens, new Set(["a:b:c"]));
  }));

const faults: readonly [Fault, RegExp][] = [
  ["list", /synthetic list: 500 instead of 200: 500 *out of order/],
  ["create", /synthetic create: 500 instead of 201/],
  ["upload", /synthetic upload: 500 instead of 204/],
  ["show", /synthetic show: 500/],
  ["checksum", /synthetic show: the checksum is not that of the data/],
  ["download", /synthetic download: 500/],
  ["garbled", /synthetic download: the data came back changed/],
];
for (const [fault, message] of faults) {
  test(`probe: a node that fails at '${fault}' is told so, and no image is left`, () =>
    withService(async (service) => {
      service.fault(fault);
      await assert.rejects(probeNode(service.options), { code: "rollout.driver_failed", message });
      assert.equal(service.images.size, 0);
    }));
}

test("probe: a node that does not answer is given up at the deadline, and the image is removed all the same", () =>
  withService(async (service) => {
    service.fault("silent");
    await assert.rejects(probeNode({ ...service.options, signal: AbortSignal.timeout(300) }), {
      message: /synthetic upload/,
    });
    assert.equal(service.images.size, 0);
  }));

test("probe: a service that wants a token says which key of the fleet file is missing", async () => {
  const server = await startTestServer("n1");
  server.handle = (_request, response) => void response.writeHead(401).end("Authentication required");
  try {
    const options = { node: "n1", address: server.address, imageName: "probe", signal: AbortSignal.timeout(5_000) };
    await assert.rejects(probeNode(options), {
      message: /401 instead of 200: Authentication required; give gates\.token/,
    });
  } finally {
    await server.stop();
  }
});
