// The synthetic gate: an image is created, filled, read back and deleted through one node alone, before clients get to it.
// Whatever happens the image is removed again; one that a killed rollout left behind is removed by the next probe.
import { createHash, randomBytes } from "node:crypto";
import { errorText, ServiceError } from "../core/errors.ts";
import { type NodeAnswer, requestNode } from "./node-request.ts";

const dataBytes = 256 * 1024;
const cleanupMsMax = 10_000;
const leftoversMax = 100;

export type ProbeOptions = {
  readonly node: string;
  readonly address: string;
  /** X-Auth-Token; absent: the service asks for none. */
  readonly token?: string;
  /** Tells this fleet's probes from others. */
  readonly imageName: string;
  readonly signal: AbortSignal;
};

/** Throws rollout.driver_failed saying which step failed and how. Resolves with a line on what was done. */
export async function probeNode(options: ProbeOptions): Promise<string> {
  const startedMs = performance.now();
  const call = caller(options);
  const data = randomBytes(dataBytes);
  await removeLeftovers(options, call);
  const created = await call("create", "POST", "/v2/images", [201], {
    type: "application/json",
    body: JSON.stringify({ name: options.imageName, disk_format: "raw", container_format: "bare" }),
  });
  const path = `/v2/images/${encodeURIComponent(field(created, "id"))}`;
  let removed = false;
  try {
    await call("upload", "PUT", `${path}/file`, [204], { type: "application/octet-stream", body: data });
    const shown = await call("show", "GET", path, [200]);
    if (field(shown, "status") !== "active") throw failed(options, "show", `status ${field(shown, "status")}`);
    const md5 = createHash("md5").update(data).digest("hex");
    if (field(shown, "checksum") !== md5) throw failed(options, "show", "the checksum is not that of the data");
    const { body } = await call("download", "GET", `${path}/file`, [200]);
    if (!body.equals(data)) throw failed(options, "download", "the data came back changed");
    await call("delete", "DELETE", path, [204]);
    removed = true;
    await call("show after delete", "GET", path, [404]);
  } finally {
    // Past the probe's own deadline too: what was made is taken away.
    if (!removed) await removeQuietly({ ...options, signal: AbortSignal.timeout(cleanupMsMax) }, path);
  }
  return `${options.node} created, filled, returned and deleted an image in ${Math.round(performance.now() - startedMs)} ms`;
}

type Call = (
  step: string,
  method: string,
  path: string,
  expected: readonly number[],
  content?: { type: string; body: string | Buffer },
) => Promise<NodeAnswer>;

function caller(options: ProbeOptions): Call {
  return async (step, method, path, expected, content) => {
    const headers = {
      ...(options.token !== undefined && { "x-auth-token": options.token }),
      ...(content && { "content-type": content.type }),
    };
    let answer: NodeAnswer;
    try {
      const request = { method, path, headers, ...(content && { body: content.body }) };
      answer = await requestNode(options.address, request, options.signal);
    } catch (error) {
      throw failed(options, step, errorText(error), error);
    }
    if (expected.includes(answer.status)) return answer;
    const [line = ""] = answer.body
      .toString("utf8")
      .replace(/<[^>]*>/g, " ")
      .trim()
      .split("\n");
    const hint = answer.status === 401 && options.token === undefined ? "; give gates.token in the fleet file" : "";
    throw failed(
      options,
      step,
      `${answer.status} instead of ${expected.join(" or ")}: ${line.trim().slice(0, 200)}${hint}`,
    );
  };
}

async function removeLeftovers(options: ProbeOptions, call: Call): Promise<void> {
  const query = `name=${encodeURIComponent(options.imageName)}&limit=${leftoversMax}`;
  const { body } = await call("list", "GET", `/v2/images?${query}`, [200]);
  const listed: unknown = JSON.parse(body.toString("utf8"));
  const images = typeof listed === "object" && listed !== null && "images" in listed ? listed.images : [];
  for (const image of Array.isArray(images) ? images : []) {
    await call("delete a leftover", "DELETE", `/v2/images/${encodeURIComponent(String(image.id))}`, [204, 404]);
  }
}

/** A failure here would hide the one that led to it, and the next probe removes what is left. */
async function removeQuietly(options: ProbeOptions, path: string): Promise<void> {
  await caller(options)("clean up", "DELETE", path, [204, 404]).catch(() => undefined);
}

function field(answer: NodeAnswer, name: string): string {
  const body: unknown = JSON.parse(answer.body.toString("utf8"));
  return typeof body === "object" && body !== null ? String((body as Record<string, unknown>)[name]) : "";
}

function failed(options: ProbeOptions, step: string, why: string, cause?: unknown): ServiceError {
  return new ServiceError("rollout.driver_failed", `${options.node}, synthetic ${step}: ${why}`, {
    facts: { node: options.node, step },
    ...(cause !== undefined && { cause }),
  });
}
