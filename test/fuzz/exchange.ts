// One request as bytes decide it, and its answer: paths and headers as they are, bodies in one piece, in chunks or broken off.
import { Agent, request } from "node:http";

export type Sent = {
  readonly method: string;
  /** Latin-1, as it goes over the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** In chunks, its length not announced; or announced longer than it is, and the connection cut. */
  readonly sending: "whole" | "chunked" | "cut";
};

export type Received = {
  /** 0: the client left before an answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

/** What is called a hang. Far beyond what any answer takes, on a slow machine too. */
const hangMs = 90_000;

export class Client implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  /** Throws where there is no answer in time. */
  send(port: number, { method, path, headers, body, sending }: Sent): Promise<Received> {
    return new Promise((resolve, reject) => {
      const length =
        body && sending !== "chunked" ? { "content-length": body.length + (sending === "cut" ? 10 : 0) } : {};
      const chunked = body && sending === "chunked" ? { "transfer-encoding": "chunked" } : {};
      const options = { host: "127.0.0.1", port, method, path, agent: this.#agent };
      const sent = request({ ...options, headers: { ...headers, ...length, ...chunked } });
      const left = () => resolve({ status: 0, headers: {}, body: "" });
      const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${hangMs / 1000} s`)), hangMs);
      sent.once("error", (error) => {
        clearTimeout(timer);
        if (sending === "cut") left();
        else reject(error);
      });
      sent.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", (error) => (sending === "cut" ? left() : reject(error)));
        response.once("end", () => {
          clearTimeout(timer);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      });
      if (sending === "cut" && body) sent.write(body, () => sent.destroy());
      else sent.end(body ?? undefined);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
