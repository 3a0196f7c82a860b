// Answers what Node's parser refuses before there is a request: garbage, headers without end, verbs nobody knows.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { errorText } from "../core/errors.ts";
import { openAnswers } from "./exchange.ts";
import { type Problem, renderProblem, titleOf } from "./problem.ts";
import type { Route } from "./route.ts";
import { allowedMethods, pathOfUrl } from "./route-table.ts";

type ParserError = Error & { readonly code?: string; readonly rawPacket?: Buffer; readonly bytesParsed?: number };
type Routing = {
  readonly routes: readonly Route[];
  readonly rewriteUrl: (request: IncomingMessage) => string;
};

const statusByParserCode: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
/** How long the client may take to read the answer while it still sends. */
const goodbyeMs = 1_000;
const answered = new WeakSet<Socket>();

export function answerUnparsable(error: ParserError, socket: Socket, routing: Routing): void {
  // The parser fails again at every further byte of a connection that is being ended.
  if (answered.has(socket)) return;
  answered.add(socket);
  const open = openAnswers.get(socket);
  const refuse = () => refuseConnection(error, socket, routing);
  if (!socket.writable || error.code === "ECONNRESET") socket.destroy(error);
  // The garbage follows a request that is being answered: first things first.
  else if (open?.req.complete === true) open.once("finish", refuse);
  // An answer inside another that is half written would be worse than none.
  else if (open?.headersSent === true) socket.destroy(error);
  else refuse();
}

function refuseConnection(error: ParserError, socket: Socket, routing: Routing): void {
  const { status, allow } = unknownVerb(error, routing) ?? { status: statusByParserCode[error.code ?? ""] ?? 400 };
  const explanation = status === 400 ? `The request is not HTTP: ${errorText(error)}.` : `${titleOf(status)}.`;
  endWith(socket, { status, explanation, headers: allow === undefined ? {} : { allow } });
}

/** This is no proxy: CONNECT, which Node hands over as a bare socket, leads nowhere. */
export function refuseConnect(socket: Socket): void {
  endWith(socket, { status: 501, explanation: "CONNECT is not a method of this service.", headers: {} });
}

function endWith(socket: Socket, problem: Problem): void {
  const { contentType, body } = renderProblem(problem, undefined);
  const head = [
    `HTTP/1.1 ${problem.status} ${titleOf(problem.status)}`,
    ...Object.entries(problem.headers).map(([name, value]) => `${name}: ${value}`),
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  // Nothing is left to do for a client that resets instead of reading.
  socket.on("error", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), goodbyeMs).unref();
}

/** Verbs Node does not parse: 405 where the path has others, 501 elsewhere. */
function unknownVerb(error: ParserError, routing: Routing): { status: number; allow?: string } | undefined {
  if (error.code !== "HPE_INVALID_METHOD") return undefined;
  // The packet may hold whole requests before this one.
  const before = error.rawPacket?.toString("latin1", 0, error.bytesParsed ?? 0) ?? "";
  const after = error.rawPacket?.toString("latin1", before.lastIndexOf("\n") + 1);
  const line = after?.split("\r\n")[0] ?? "";
  const [, method, url] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === undefined || url === undefined) return undefined;
  const rewritten = routing.rewriteUrl({ url, method, headers: {} } as IncomingMessage);
  const path = pathOfUrl(routing.routes, rewritten);
  return path === undefined ? { status: 501 } : { status: 405, allow: allowedMethods(routing.routes, path) };
}
