// What the policy matrices ask: who asks, as what of the image's owner, and every call that concerns one image.
import type { TestApi } from "./api-server.ts";

export const roles = ["auditor", "reader", "member", "admin"] as const;
export const relations = ["owner", "invited", "stranger", "projectless"] as const;
export type Role = (typeof roles)[number] | "service,reader";
export type Relation = (typeof relations)[number];

export type Situation = { readonly role: Role; readonly relation: Relation; readonly visibility: string };

const projects: Readonly<Record<Relation, string>> = {
  owner: "own",
  invited: "guest",
  stranger: "far",
  projectless: "none",
};
export const root = "root:ops:admin";
export const tokenOf = ({ role, relation }: Pick<Situation, "role" | "relation">) => `u:${projects[relation]}:${role}`;

export type Call = {
  readonly method: string;
  /** After /v2/images/{id}. */
  readonly path: string;
  readonly body?: unknown;
  readonly type?: string;
  readonly ok: number;
};
const patchType = "application/openstack-images-v2.1-json-patch";
export const patch = (...operations: unknown[]) => ({
  method: "PATCH",
  path: "",
  body: operations,
  type: patchType,
  ok: 200,
});

export const calls = {
  show: { method: "GET", path: "", ok: 200 },
  rename: patch({ op: "replace", path: "/name", value: "n" }),
  publicize: patch({ op: "replace", path: "/visibility", value: "public" }),
  communitize: patch({ op: "replace", path: "/visibility", value: "community" }),
  tag: { method: "PUT", path: "/tags/t", ok: 204 },
  upload: { method: "PUT", path: "/file", body: "data", type: "application/octet-stream", ok: 204 },
  // Of an image without data.
  download: { method: "GET", path: "/file", ok: 204 },
  deactivate: { method: "POST", path: "/actions/deactivate", ok: 204 },
  reactivate: { method: "POST", path: "/actions/reactivate", ok: 204 },
  addMember: { method: "POST", path: "/members", body: { member: "third" }, ok: 200 },
  listMembers: { method: "GET", path: "/members", ok: 200 },
  showMember: { method: "GET", path: "/members/guest", ok: 200 },
  answer: { method: "PUT", path: "/members/guest", body: { status: "accepted" }, ok: 200 },
  removeMember: { method: "DELETE", path: "/members/guest", ok: 204 },
  remove: { method: "DELETE", path: "", ok: 204 },
} as const satisfies Readonly<Record<string, Call>>;
export type CallName = keyof typeof calls;

/** `path`: after /v2/images. */
export async function send(api: TestApi, token: string, path: string, call: Omit<Call, "path" | "ok">) {
  return sendTo(`${api.url}/v2/images${path}`, token, call);
}

export async function sendTo(url: string, token: string, { method, body, type }: Omit<Call, "path" | "ok">) {
  const response = await fetch(url, {
    method,
    headers: { "x-auth-token": token, ...(body === undefined ? {} : { "content-type": type ?? "application/json" }) },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}
