// Clients that import: from staging, from a web server, and from one store into the others. Each waits for its image and compares what it shows.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { contentMd5, contentStream, type ImageContent } from "../../../demo/images.ts";
import {
  type Actor,
  adminToken,
  forget,
  type Kind,
  memberToken,
  type OwnImage,
  ownImagesMax,
} from "../../../demo/traffic/actor.ts";
import { createOwn } from "../../../demo/traffic/create.ts";
import { remove } from "../../../demo/traffic/delete.ts";
import { download } from "../../../demo/traffic/download.ts";
import { type ImageJson, ownWrong, parseImage } from "../../../demo/traffic/image-json.ts";
import { someContent } from "../../../demo/traffic/upload.ts";
import { eventually } from "../../servers/eventually.ts";

export const storeIds = ["fast", "slow"] as const;
/** What clients do here, by the names the recorder counts them by. */
export const importKinds = ["glance-direct", "web-download", "copy-image"] as const;
type ImportKind = (typeof importKinds)[number];

/** Between two looks at an image that is being imported. */
const lookMs = 200;
const importMsMax = 180_000;
const sizeMax = 2_000_000;

export type ImportTraffic = {
  readonly mix: readonly Kind[];
  /** Resolves when every kind of import has been begun and ended from now on. Throws after a long time. */
  eachOnce(): Promise<void>;
  stop(): void;
};

export async function startImportTraffic(): Promise<ImportTraffic> {
  const served = new Map<string, ImageContent>();
  const server = createServer((request, response) => {
    const content = served.get(request.url ?? "");
    if (!content) return void response.writeHead(404).end();
    response.writeHead(200, { "content-length": content.sizeBytes });
    contentStream(content).pipe(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const done = new Map<ImportKind, number>();
  const count = (kind: ImportKind) => done.get(kind) ?? 0;

  const kindOf = (name: ImportKind, run: (actor: Actor) => Promise<boolean>): Kind => ({
    name,
    weight: 10,
    ready: (actor) => (name === "copy-image" ? copyable(actor).length > 0 : actor.own.length < ownImagesMax),
    async run(actor) {
      if (await run(actor)) done.set(name, count(name) + 1);
    },
  });
  const direct = kindOf("glance-direct", (actor) =>
    importOwn(actor, "glance-direct", async (own, content) => {
      const staged = await actor.client.call({
        kind: "stage",
        method: "PUT",
        path: `/v2/images/${own.id}/stage`,
        token: memberToken(actor.project),
        headers: { "Content-Type": "application/octet-stream", "Content-Length": content.sizeBytes },
        body: contentStream(content),
        expect: [204],
      });
      return staged && {};
    }),
  );
  const web = kindOf("web-download", (actor) =>
    importOwn(actor, "web-download", async (own, content) => {
      served.set(`/${own.id}`, content);
      return { uri: `http://127.0.0.1:${port}/${own.id}` };
    }),
  );
  return {
    mix: [direct, web, kindOf("copy-image", copyOne), { ...remove, weight: 2 }, { ...download, weight: 2 }],
    async eachOnce() {
      const before = importKinds.map(count);
      // Of each two: the one under way may have begun before.
      const all = () => importKinds.every((kind, at) => count(kind) >= (before[at] ?? 0) + 2);
      await eventually("each kind of import has been through", all, { msMax: importMsMax });
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A new image, its data made ready by `prepare`, which says what the method needs to know; false where something failed, which is recorded. */
async function importOwn(
  actor: Actor,
  method: ImportKind,
  prepare: (own: OwnImage, content: ImageContent) => Promise<object | undefined>,
): Promise<boolean> {
  const content = someContent(actor, 20_000 + Math.floor(actor.random() * sizeMax));
  const own = await createOwn(actor, "create", content.format);
  if (!own) return false;
  const more = await prepare(own, content);
  const store = storeIds[Math.floor(actor.random() * storeIds.length)] ?? storeIds[0];
  const token = memberToken(actor.project);
  const begun =
    more &&
    (await actor.client.call({
      kind: method,
      method: "POST",
      path: `/v2/images/${own.id}/import`,
      token,
      headers: { "X-Image-Meta-Store": store },
      json: { method: { name: method, ...more } },
      expect: [202],
    }));
  if (!begun || !(await becomesActive(actor, own, method))) {
    forget(actor, own);
    return false;
  }
  own.data = { content, md5: await contentMd5(content) };
  stores.set(own, new Set([store]));
  const shown = await actor.client.call({
    kind: "show",
    method: "GET",
    path: `/v2/images/${own.id}`,
    token,
    expect: [200],
    check: (answer) => {
      const image = parseImage(answer);
      return ownWrong(image, own) ?? (image.stores === store ? undefined : `stores is ${image.stores}, not ${store}`);
    },
  });
  return shown !== undefined;
}

/** Until its task has ended it would be refused to delete it. */
function isLocked(image: ImageJson): boolean {
  return Boolean(image.os_glance_import_task);
}

const underWay = ["uploading", "importing"];

async function becomesActive(actor: Actor, own: OwnImage, kind: string): Promise<boolean> {
  const deadline = performance.now() + importMsMax;
  for (;;) {
    let status = "";
    let locked = true;
    const answer = await actor.client.call({
      kind: "show",
      method: "GET",
      path: `/v2/images/${own.id}`,
      token: memberToken(actor.project),
      expect: [200],
      check: (shown) => {
        const image = parseImage(shown);
        status = String(image.status);
        locked = isLocked(image);
        if (performance.now() > deadline) return `${kind} of ${own.id} does not end: ${status}`;
        return status === "active" || underWay.includes(status) ? undefined : `${kind} of ${own.id} failed: ${status}`;
      },
    });
    if (!answer) return false;
    if (status === "active" && !locked) return true;
    await sleep(lookMs);
  }
}

/** Where the data of an actor's image is known to lie. */
const stores = new WeakMap<OwnImage, ReadonlySet<string>>();

function copyable(actor: Actor): readonly OwnImage[] {
  return actor.own.filter((own) => own.data && stores.get(own)?.size === 1);
}

/** Into the stores that do not have it, as an admin, who alone may copy. */
async function copyOne(actor: Actor): Promise<boolean> {
  const [own] = copyable(actor);
  if (!own) return false;
  const missing = storeIds.filter((id) => !stores.get(own)?.has(id));
  const begun = await actor.client.call({
    kind: "copy-image",
    method: "POST",
    path: `/v2/images/${own.id}/import`,
    token: adminToken,
    json: { method: { name: "copy-image" }, stores: missing },
    expect: [202],
  });
  stores.set(own, new Set(storeIds));
  if (begun && (await lieIn(actor, own))) return true;
  forget(actor, own);
  return false;
}

async function lieIn(actor: Actor, own: OwnImage): Promise<boolean> {
  const deadline = performance.now() + importMsMax;
  for (;;) {
    let there = false;
    const answer = await actor.client.call({
      kind: "show",
      method: "GET",
      path: `/v2/images/${own.id}`,
      token: memberToken(actor.project),
      expect: [200],
      check: (shown) => {
        const image = parseImage(shown);
        there = storeIds.every((id) => String(image.stores).split(",").includes(id)) && !isLocked(image);
        if (!there && performance.now() > deadline) return `copying ${own.id} does not end: ${image.stores}`;
        if (image.os_glance_failed_import) return `copying ${own.id} to ${image.os_glance_failed_import} failed`;
        return ownWrong(image, own);
      },
    });
    if (!answer) return false;
    if (there) return true;
    await sleep(lookMs);
  }
}
