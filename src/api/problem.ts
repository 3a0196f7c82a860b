// What an error looks like to a client: status, text, and the headers that belong to it. The body's form follows Accept, in the shapes
// clients have parsed since WebOb made them.
import { isServiceError } from "../core/errors.ts";
import { STATUS_CODES } from "../core/node-http.ts";
import { statusByCode } from "./error-status.ts";

export type Problem = {
  readonly status: number;
  readonly explanation: string;
  readonly headers: Readonly<Record<string, string>>;
};

/** Seconds after which a client may try again what a restarting database or store refused. */
const retryAfterSeconds = "5";
const noPart = "A part of the service cannot be reached at the moment. Please try again.";
const noIdentity =
  "The identity service, which tokens are checked with, cannot be reached at the moment. Please try again.";
const internal = "The server failed to answer this request; its log tells why, under this request id.";

/** Where Node names a status differently than WebOb, whose titles older clients show and compare. */
const titles: Readonly<Record<number, string>> = {
  413: "Request Entity Too Large",
  414: "Request URI Too Long",
  416: "Request Range Not Satisfiable",
  499: "Client Closed Request",
};

export function titleOf(status: number): string {
  return titles[status] ?? STATUS_CODES[status] ?? "Unknown";
}

/** Unexpected errors become 500 without a word of what they said: their text is for the log. */
export function problemOf(error: unknown): Problem {
  if (!isServiceError(error)) return { status: 500, explanation: internal, headers: {} };
  const status = statusByCode[error.code];
  if (status === 500) return { status, explanation: internal, headers: {} };
  if (status === 503) {
    // Addresses and statements stay in the log.
    const explanation = error.code === "identity.unavailable" ? noIdentity : noPart;
    return { status, explanation, headers: { "retry-after": retryAfterSeconds } };
  }
  const { allow, acceptPatch, challenge, uploadOffset } = error.facts;
  const headers: Record<string, string> = {};
  if (typeof allow === "string") headers.allow = allow;
  if (typeof acceptPatch === "string") headers["accept-patch"] = acceptPatch;
  if (typeof uploadOffset === "number") headers["upload-offset"] = String(uploadOffset);
  if (typeof challenge === "string") headers["www-authenticate"] = challenge;
  return { status, explanation: error.message, headers };
}

/** `accept`: the request's header; empty (openstacksdk sends that) counts as absent. */
export function renderProblem(problem: Problem, accept: string | undefined): { contentType: string; body: string } {
  const title = titleOf(problem.status);
  const line = `${problem.status} ${title}`;
  switch (preferredForm(accept)) {
    case "json":
      return {
        contentType: "application/json",
        body: JSON.stringify({ message: `${problem.explanation}<br /><br />\n\n\n`, code: line, title }),
      };
    case "html":
      return {
        contentType: "text/html; charset=UTF-8",
        body: `<html>\n <head>\n  <title>${line}</title>\n </head>\n <body>\n  <h1>${line}</h1>\n  ${escapeHtml(problem.explanation)}<br /><br />\n\n\n\n </body>\n</html>`,
      };
    case "text":
      return { contentType: "text/plain; charset=UTF-8", body: `${line}\n\n${problem.explanation}\n\n   ` };
  }
}

type Form = "html" | "json" | "text";

const formByType: Readonly<Record<string, readonly { form: Form; specificity: number }[]>> = {
  "*/*": [{ form: "html", specificity: 0 }],
  "text/*": [{ form: "html", specificity: 1 }],
  "text/html": [{ form: "html", specificity: 2 }],
  "application/*": [{ form: "json", specificity: 1 }],
  "application/json": [{ form: "json", specificity: 2 }],
};

/** The form with the highest quality, then the one named most exactly; plain text where neither HTML nor JSON is acceptable. */
export function preferredForm(accept: string | undefined): Form {
  if (accept === undefined || accept.trim() === "") return "text";
  // Not a list of media ranges at all: such a header is ignored, and anything will do.
  if (!accept.includes("/")) return "html";
  let best: { form: Form; quality: number; specificity: number } = { form: "text", quality: 0, specificity: -1 };
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    for (const { form, specificity } of formByType[type] ?? []) {
      const better = quality > best.quality || (quality === best.quality && specificity > best.specificity);
      if (quality > 0 && better) best = { form, quality, specificity };
    }
  }
  return best.form;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
