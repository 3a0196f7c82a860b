// GET /healthcheck, for balancers: 200 while the node serves, 503 with the reason when it should be left alone. No token needed.
import type { IncomingMessage } from "node:http";
import type { Answer } from "../answer.ts";
import type { Gate } from "../gate.ts";

export function healthcheckAnswer(request: IncomingMessage, gate: Gate): Answer {
  const health = gate.health();
  const reason = health.ok ? "OK" : health.reason;
  if (request.method === "HEAD" && health.ok) return { status: 204, untyped: true };
  return { status: health.ok ? 200 : 503, ...bodyOf(request.headers.accept ?? "", reason) };
}

/** The first type that is offered; the balancers' default is text. */
function bodyOf(accept: string, reason: string): Required<Pick<Answer, "headers" | "body">> {
  const wanted = accept.split(",").map((range) => range.split(";")[0]?.trim().toLowerCase());
  switch (wanted.find((type) => type === "application/json" || type === "text/html" || type === "text/plain")) {
    case "application/json":
      return {
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ detailed: false, reasons: [reason] }, null, 4),
      };
    case "text/html":
      return {
        headers: { "content-type": "text/html; charset=UTF-8" },
        body: `<html><head><title>Healthcheck</title></head><body><p>${reason.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</p></body></html>`,
      };
    default:
      return { headers: { "content-type": "text/plain; charset=UTF-8" }, body: reason };
  }
}
