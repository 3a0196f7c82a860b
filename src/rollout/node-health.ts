// A node's own health check, asked directly: what a balancer would find.
import { errorText } from "../core/errors.ts";
import { requestNode } from "./node-request.ts";

export type NodeHealth = {
  readonly ok: boolean;
  /** Somebody answered at the address, whatever was said. */
  readonly answered: boolean;
  /** Nothing is wrong with it: a file keeps it out of rotation, as an operator or the balancer driver `health` wants it. */
  readonly heldOut: boolean;
  /** What was said, in one line. */
  readonly text: string;
};

const answerMsMax = 3_000;

/** Never rejects: not to answer is an answer. */
export async function askHealth(address: string, signal: AbortSignal): Promise<NodeHealth> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
    const { status, body } = await requestNode(address, { method: "GET", path: "/healthcheck" }, limit);
    const [line = ""] = body.toString("utf8").trim().split("\n");
    return {
      ok: status === 200,
      answered: true,
      heldOut: status === 503 && line === "DISABLED BY FILE",
      text: `${status} ${line}`.trim(),
    };
  } catch (error) {
    return { ok: false, answered: false, heldOut: false, text: errorText(error) };
  }
}
