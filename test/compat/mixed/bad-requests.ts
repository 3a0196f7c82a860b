// Requests that both kinds of nodes refuse, or answer in a way that clients seldom look at: sent to both, and nothing of it changes anything.
import { absent, creations, imports, lateFormats, members, patches, queries, ranges } from "./bad-values.ts";
import type { Asked, Caller } from "./exchange.ts";

/** What the requests are about: one image each in these states, all of project red and shared unless the name says otherwise. */
export type Subjects = {
  readonly queued: string;
  readonly active: string;
  readonly privateOne: string;
  readonly protectedOne: string;
  readonly deleted: string;
  readonly namespace: string;
  readonly member: string;
};

const v21 = { "content-type": "application/openstack-images-v2.1-json-patch" };
const v20 = { "content-type": "application/openstack-images-v2.0-json-patch" };
const bytes = Buffer.from("data");

type Short = readonly [method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>];

export function badRequests(known: Subjects): readonly Asked[] {
  const { queued, active } = known;
  const image = (id: string) => `/v2/images/${id}`;
  const byAnn: readonly Short[] = [
    ...creations.map((body): Short => ["POST", "/v2/images", body]),
    ["POST", "/v2/images", { id: active }],
    ["POST", "/v2/images", { id: known.deleted }],
    ...patches.map((patch): Short => ["PATCH", image(queued), patch, v21]),
    ...lateFormats.map((patch): Short => ["PATCH", image(active), patch, v21]),
    ["PATCH", image(queued), [{ add: "/name", value: "x", op: "add" }], v20],
    ["PATCH", image(queued), [{ replace: "/none", value: "x" }], v20],
    ["PATCH", image(queued), [], { "content-type": "application/json" }],
    ["PATCH", image(absent), [], v21],
    ["PATCH", image(queued), [], v21],
    ["PATCH", image(absent), [{ op: "remove", path: "/locations/x" }], v21],
    ["PATCH", image(absent), [{ op: "replace", path: "/locations", value: [] }], v21],
    ["PUT", `${image(active)}/file`, bytes],
    ["PUT", `${image(queued)}/file`, bytes, { "content-type": "text/plain" }],
    ["PUT", `${image(absent)}/file`, bytes],
    ["PUT", `${image(active)}/stage`, bytes],
    ["PUT", `${image(queued)}/stage`, bytes, { "content-type": "text/plain" }],
    ["GET", `${image(absent)}/file`],
    ["GET", `${image(known.deleted)}/file`],
    ...ranges.map((range): Short => ["GET", `${image(active)}/file`, undefined, { range }]),
    ["GET", image(absent)],
    ["GET", image(known.deleted)],
    ["GET", image("no-uuid")],
    ["DELETE", image(known.protectedOne)],
    ["DELETE", image(known.deleted)],
    ["DELETE", image(absent)],
    ["DELETE", image(active), { a: 1 }],
    ...imports.map((body): Short => ["POST", `${image(queued)}/import`, body]),
    ["POST", `${image(active)}/import`, { method: { name: "web-download", uri: "http://127.0.0.1:1/1" } }],
    ["POST", `${image(active)}/import`, { method: { name: "copy-image" }, stores: ["slow"] }],
    ["POST", `${image(absent)}/import`, { method: { name: "glance-direct" } }],
    ...members.map((body): Short => ["POST", `${image(active)}/members`, body]),
    ["POST", `${image(active)}/members`, { member: known.member }],
    // The one change here: the reference adds it, to an image whose members nobody looks at.
    ["POST", `${image(queued)}/members`, { member: 7 }],
    ["POST", `${image(known.privateOne)}/members`, { member: "x" }],
    ["GET", `${image(known.privateOne)}/members`],
    ["GET", `${image(active)}/members/none`],
    ["PUT", `${image(active)}/members/${known.member}`, { status: "accepted" }],
    ["PUT", `${image(active)}/members/none`, { status: "accepted" }],
    ["DELETE", `${image(active)}/members/none`],
    ["DELETE", `${image(active)}/tags/none`],
    ["PUT", `${image(active)}/tags/${"t".repeat(256)}`],
    ["PUT", `${image(active)}/tags/t`, { a: 1 }],
    ["GET", `${image(active)}/tags/t`],
    ["GET", `${image(active)}/tags`],
    ["POST", `${image(queued)}/actions/deactivate`],
    ["POST", `${image(queued)}/actions/reactivate`],
    ["POST", `${image(queued)}/actions/nothing`],
    ["POST", `${image(absent)}/actions/deactivate`],
    ...queries.map((query): Short => ["GET", `/v2/images?${query}`]),
    ["GET", "/v2/tasks"],
    ["GET", "/v2/tasks?limit=-1"],
    ["POST", "/v2/tasks", {}],
    ["POST", "/v2/tasks", "{"],
    ["GET", `/v2/tasks/${absent}`],
    ["GET", "/v2/info/stores"],
    ["GET", "/v2/info/stores/detail"],
    ["GET", "/v2/info/import"],
    ["GET", "/v2/info/usage"],
    ["GET", "/v2/cache"],
    ["DELETE", `/v2/stores/slow/${active}`],
    ["GET", "/v2/none"],
    ["GET", "/v2"],
    ["GET", "/v2/"],
    ["GET", "/v1/images"],
    ["GET", "/v3/images"],
    ["GET", "/"],
    ["GET", "/v2.7/images/none"],
    ["GET", "/v2.99/images"],
    ["DELETE", "/v2/images"],
    ["PUT", image(active)],
    ["POST", `${image(active)}/file`],
    ["GET", `${image(active)}/import`],
    ["GET", `${image(active)}/stage`],
    ["GET", `${image(active)}/locations`],
    ["GET", `${image(active)}/actions/deactivate`],
    ...[
      "/",
      "/v2",
      "/versions",
      "/healthcheck",
      "/v2/none",
      "/v2/images",
      "/v2/schemas/image",
      image(active),
      image(absent),
    ].map((path): Short => ["HEAD", path]),
    ["GET", "/v2/schemas/none"],
    ["POST", "/v2/schemas/image"],
    ["POST", "/v2/metadefs/namespaces", { namespace: "x" }],
    ["GET", "/v2/metadefs/namespaces/none"],
    ["GET", `/v2/metadefs/namespaces/${known.namespace}/objects/none`],
    ["GET", `/v2/metadefs/namespaces/${known.namespace}/properties/none`],
    ["GET", `/v2/metadefs/namespaces/${known.namespace}/tags/none`],
  ];
  const byOthers: readonly (readonly [Caller | "nobody", readonly Short[]])[] = [
    [
      "nobody",
      [
        ["GET", "/v2/images"],
        ["GET", image(active)],
        ["POST", "/v2/images", {}],
        ["GET", "/"],
        ["HEAD", "/"],
        ["HEAD", "/versions"],
        ["GET", "/v2"],
        ["HEAD", "/v2"],
        ["POST", "/v2"],
        ["GET", "/v2/none"],
      ],
    ],
    [
      "eve",
      [
        ["POST", "/v2/images", { name: "x" }],
        ["PATCH", image(active), [{ op: "replace", path: "/name", value: "x" }], v21],
        ["PATCH", image(active), [], v21],
        ["DELETE", image(active)],
        ["PUT", `${image(queued)}/file`, bytes],
        ["POST", `${image(active)}/members`, { member: "x" }],
        ["PUT", `${image(active)}/tags/t`],
        ["POST", `${image(active)}/actions/deactivate`],
      ],
    ],
    [
      "bob",
      [
        ["PATCH", image(active), [], v21],
        ["PATCH", image(known.privateOne), [], v21],
        ["GET", image(known.privateOne)],
        ["PATCH", image(active), [{ op: "replace", path: "/name", value: "x" }], v21],
        ["DELETE", image(active)],
        ["DELETE", image(known.privateOne)],
        ["PUT", `${image(queued)}/file`, bytes],
        ["PUT", `${image(active)}/stage`, bytes],
        ["POST", `${image(active)}/members`, { member: "x" }],
        ["GET", `${image(active)}/members`],
        ["DELETE", `${image(active)}/members/${known.member}`],
        ["PUT", `${image(active)}/members/${known.member}`, { status: "maybe" }],
        ["PUT", `${image(active)}/members/${known.member}`, {}],
        ["PUT", `${image(active)}/tags/t`],
        ["POST", `${image(active)}/actions/deactivate`],
        ["GET", `${image(active)}/tasks`],
      ],
    ],
    [
      "ops",
      [
        ["POST", "/v2/tasks", {}],
        ["POST", "/v2/tasks", { type: "none", input: {} }],
        ["POST", "/v2/tasks", { type: "import", input: { import_from: "file:///etc/passwd" } }],
        ["GET", `/v2/tasks/${absent}`],
        ["DELETE", `/v2/tasks/${absent}`],
        ["GET", "/v2/tasks?type=none"],
        ["GET", "/v2/tasks?status=none"],
        ["GET", `/v2/tasks?marker=${absent}`],
        ["GET", "/v2/tasks?limit=-1"],
        ["GET", "/v2/cache"],
        ["PUT", `/v2/cache/${queued}`],
        ["PUT", `/v2/cache/${absent}`],
        ["DELETE", `/v2/cache/${absent}`],
        ["DELETE", "/v2/cache", undefined, { "x-image-cache-clear-target": "none" }],
        ["DELETE", `/v2/stores/none/${active}`],
        ["DELETE", `/v2/stores/slow/${active}`],
        ["POST", "/v2/metadefs/namespaces", { namespace: known.namespace }],
        ["POST", "/v2/metadefs/namespaces", {}],
        ["POST", "/v2/metadefs/namespaces", { namespace: "n".repeat(81) }],
        ["POST", "/v2/metadefs/namespaces", { namespace: "x", visibility: "none" }],
        ["POST", "/v2/metadefs/namespaces", []],
        ["DELETE", "/v2/metadefs/namespaces/none"],
        ["POST", `/v2/metadefs/namespaces/${known.namespace}/objects`, {}],
        ["POST", `/v2/metadefs/namespaces/${known.namespace}/properties`, { name: "x" }],
        ["POST", `/v2/metadefs/namespaces/${known.namespace}/properties`, { name: "x", title: "x", type: "none" }],
        ["POST", `/v2/metadefs/namespaces/${known.namespace}/resource_types`, {}],
        ["DELETE", `/v2/metadefs/namespaces/${known.namespace}/resource_types/none`],
        ["GET", "/v2/metadefs/namespaces?sort_key=none"],
        ["GET", "/v2/metadefs/namespaces?marker=none"],
        ["GET", "/v2/metadefs/namespaces?visibility=none"],
      ],
    ],
  ];
  const all = [["ann", byAnn] as const, ...byOthers];
  const inJson = all.flatMap(([caller, requests]) =>
    requests.map(([method, path, body, headers]) => asked(caller, method, path, body, headers)),
  );
  const inOtherForms = ["text/html", "*/*", "text/plain", "application/json;q=0.5, text/html"].flatMap((accept) => [
    asked("ann", "GET", image(absent), undefined, { accept }),
    asked("ann", "POST", "/v2/images", { disk_format: "x" }, { accept }),
    asked("ann", "GET", "/v2/none", undefined, { accept }),
    asked("nobody", "GET", "/v2/images", undefined, { accept }),
  ]);
  return [...inJson, ...inOtherForms];
}

function asked(
  caller: Asked["caller"],
  method: string,
  path: string,
  body?: unknown,
  headers?: Asked["headers"],
): Asked {
  return {
    caller,
    method,
    path,
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  };
}
