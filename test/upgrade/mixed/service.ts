// The requests of the property test, to one node; statuses are asserted where they can be foretold.
import assert from "node:assert/strict";
import { adminToken, memberToken } from "../../../demo/traffic/actor.ts";
import { type ReleaseId, releaseOf } from "../../../src/releases/catalogue.ts";
import type { By, MemberStatus, Shown, Visibility } from "./model.ts";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Asked = { status: number; body: string };

/** One node, asked directly. */
export class NodeClient {
  readonly release: ReleaseId;
  readonly #origin: string;

  constructor(release: ReleaseId, address: string) {
    this.release = release;
    this.#origin = `http://${address}`;
  }

  get by(): By {
    return releaseOf(this.release).capabilities;
  }

  async create(owner: string, visibility?: Visibility): Promise<string> {
    const json = { owner, disk_format: "raw", container_format: "bare", ...(visibility && { visibility }) };
    return (JSON.parse(await this.#must(201, "POST", "/v2/images", adminToken, json)) as { id: string }).id;
  }

  async rename(id: string, owner: string, name: string): Promise<void> {
    await this.#patch(id, memberToken(owner), { op: "replace", path: "/name", value: name });
  }

  async setVisibility(id: string, visibility: Visibility): Promise<void> {
    await this.#patch(id, adminToken, { op: "replace", path: "/visibility", value: visibility });
  }

  async setHidden(id: string, owner: string, hidden: boolean): Promise<void> {
    await this.#patch(id, memberToken(owner), { op: "replace", path: "/os_hidden", value: hidden });
  }

  async upload(id: string, owner: string, data: string): Promise<void> {
    const headers = { "X-Auth-Token": memberToken(owner), "Content-Type": "application/octet-stream" };
    const response = await fetch(`${this.#origin}/v2/images/${id}/file`, { method: "PUT", headers, body: data });
    assert.equal(response.status, 204, await response.text());
  }

  async addMember(id: string, owner: string, member: string, expected: number): Promise<void> {
    await this.#must(expected, "POST", `/v2/images/${id}/members`, memberToken(owner), { member });
  }

  async setMemberStatus(id: string, member: string, status: MemberStatus): Promise<void> {
    await this.#must(200, "PUT", `/v2/images/${id}/members/${member}`, memberToken(member), { status });
  }

  async removeMember(id: string, owner: string, member: string): Promise<void> {
    await this.#must(204, "DELETE", `/v2/images/${id}/members/${member}`, memberToken(owner));
  }

  async members(id: string, owner: string): Promise<Map<string, string>> {
    const body = await this.#must(200, "GET", `/v2/images/${id}/members`, memberToken(owner));
    const { members } = JSON.parse(body) as { members: { member_id: string; status: string }[] };
    return new Map(members.map((member) => [member.member_id, member.status]));
  }

  /** What it shows to `project`; undefined where the image is hidden from it. */
  async shown(id: string, project: string): Promise<Shown | undefined> {
    const answer = await this.#ask("GET", `/v2/images/${id}`, memberToken(project));
    if (answer.status === 404) return undefined;
    assert.equal(answer.status, 200, answer.body);
    const image = JSON.parse(answer.body) as Record<string, unknown>;
    const has = (name: string) => Object.hasOwn(image, name);
    return {
      visibility: image.visibility as Visibility,
      ...(has("os_hidden") ? { hidden: image.os_hidden as boolean } : {}),
      ...(has("os_hash_algo") ? { hash: image.os_hash_algo as string | null } : {}),
    };
  }

  async listed(project: string): Promise<Set<string>> {
    const body = await this.#must(200, "GET", "/v2/images?limit=1000", memberToken(project));
    return new Set((JSON.parse(body) as { images: { id: string }[] }).images.map((image) => image.id));
  }

  async remove(id: string, owner: string): Promise<void> {
    await this.#must(204, "DELETE", `/v2/images/${id}`, memberToken(owner));
  }

  async #patch(id: string, token: string, operation: object): Promise<void> {
    await this.#must(200, "PATCH", `/v2/images/${id}`, token, [operation]);
  }

  async #must(expected: number, method: Method, path: string, token: string, json?: unknown): Promise<string> {
    const answer = await this.#ask(method, path, token, json);
    assert.equal(answer.status, expected, `${this.release} ${method} ${path} ${JSON.stringify(json)}: ${answer.body}`);
    return answer.body;
  }

  async #ask(method: Method, path: string, token: string, json?: unknown): Promise<Asked> {
    const type = method === "PATCH" ? "application/openstack-images-v2.1-json-patch" : "application/json";
    const headers = { "X-Auth-Token": token, ...(json === undefined ? {} : { "Content-Type": type }) };
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    const response = await fetch(`${this.#origin}${path}`, { method, headers, ...body });
    return { status: response.status, body: await response.text() };
  }
}
