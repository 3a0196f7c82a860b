// One request and its answer, from the first header to the last byte: measured, logged, and always answered, whatever is thrown.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type Answer, writeAnswer } from "./answer.ts";
import type { ApiSettings } from "./config.ts";
import { corsHeaders } from "./cors.ts";
import { statusByCode } from "./error-status.ts";
import type { Gate } from "./gate.ts";
import { gzipped } from "./gzip.ts";
import type { ApiMetrics } from "./metrics.ts";
import { problemOf, renderProblem } from "./problem.ts";

export type Exchange = {
  /** What log lines name the request by. */
  logId: string | null;
  /** Set once the answer may carry the id: not on 401, nor where nobody is asked for. */
  answerId: string | null;
};

/** The answer that is under way on each connection, for whoever has to break in. */
export const openAnswers = new WeakMap<Socket, ServerResponse>();

/** What was never answered, for the statistics only; the number is the one proxies use. */
const clientClosed = 499;

export class Exchanges {
  readonly #gate: Gate;
  readonly #metrics: ApiMetrics;
  readonly #logger: Logger;
  readonly #settings: Pick<ApiSettings, "cors" | "gzip">;

  constructor(deps: {
    gate: Gate;
    metrics: ApiMetrics;
    logger: Logger;
    settings: Pick<ApiSettings, "cors" | "gzip">;
  }) {
    this.#settings = deps.settings;
    this.#gate = deps.gate;
    this.#metrics = deps.metrics;
    this.#logger = deps.logger;
  }

  /** Never rejects: what `work` throws becomes the answer. */
  async run(
    request: IncomingMessage,
    response: ServerResponse,
    route: string,
    work: (exchange: Exchange) => Promise<Answer>,
  ): Promise<void> {
    const exchange: Exchange = { logId: null, answerId: null };
    const end = this.#metrics.begin();
    const method = request.method ?? "";
    const { socket } = request;
    openAnswers.set(socket, response);
    response.once("close", () => {
      if (openAnswers.get(socket) === response) openAnswers.delete(socket);
      const status = response.headersSent ? response.statusCode : clientClosed;
      end({ method, route, status });
      this.#logger.debug({ requestId: exchange.logId, method, url: request.url, status }, "request");
    });
    let answer: Answer;
    try {
      answer = await work(exchange);
    } catch (error) {
      answer = this.#answerTo(error, request, exchange);
    }
    try {
      answer = await this.#dressed(answer, request);
      await writeAnswer(request, response, answer, { requestId: exchange.answerId, closing: this.#gate.draining });
    } catch (error) {
      this.#log(error, request, exchange, "the answer was cut in the middle");
      response.destroy();
    }
  }

  /** What stands in front of the whole service adds to every answer, failures too: a page has to be able to read them. */
  async #dressed(answer: Answer, request: IncomingMessage): Promise<Answer> {
    const { cors, gzip } = this.#settings;
    const own = cors ? corsHeaders(cors, request) : {};
    const dressed = cors ? { ...answer, headers: { ...answer.headers, ...own } } : answer;
    return gzip ? gzipped(dressed, request.headers["accept-encoding"]?.toString()) : dressed;
  }

  #answerTo(error: unknown, request: IncomingMessage, exchange: Exchange): Answer {
    const problem = problemOf(error);
    // The operator has to know of failures of ours, and of an image whose data is not where it should be (204); 501 is the client's mistake.
    const ours = problem.status >= 500 && problem.status !== statusByCode["api.not_implemented"];
    if (ours || isServiceError(error, "stores.blob_not_found")) this.#log(error, request, exchange, "request failed");
    else
      this.#logger.debug({ requestId: exchange.logId, status: problem.status, text: problem.explanation }, "refused");
    if (problem.status === 204) return { status: 204, untyped: true };
    // Who asks for a head gets it without the body's type, as beside the reference.
    if (request.method === "HEAD") return { status: problem.status, headers: problem.headers };
    const { contentType, body } = renderProblem(problem, request.headers.accept);
    return { status: problem.status, headers: { ...problem.headers, "content-type": contentType }, body };
  }

  #log(error: unknown, request: IncomingMessage, exchange: Exchange, what: string): void {
    const code = isServiceError(error) ? { code: error.code, facts: error.facts } : {};
    const asked = { method: request.method, url: request.url?.slice(0, 500) };
    this.#logger.error({ requestId: exchange.logId, ...asked, ...code, err: error }, what);
  }
}
