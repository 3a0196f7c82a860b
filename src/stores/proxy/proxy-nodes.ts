// Asks Glance nodes, in turn, for what needs a store that this node has not. Each request says that it was passed on, so that two nodes
// without the store do not ask each other for ever.
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { type Onward, passedOnHeader } from "../../core/onward.ts";
import type { ForeignNodes } from "../foreign-nodes.ts";
import { HttpClient, type HttpReply, lengthOf } from "../wire/http-client.ts";
import { type Opened, resumedStream } from "../wire/resumed-stream.ts";

/** Twice, since a kept connection may have been closed under the first attempt; after that the next node is asked. */
const attemptsMax = 2;
/** A Glance node answers a deletion once its store is through with it, which takes long with large images. */
const removalMsMax = 15 * 60_000;

/** What ends the search for a node that helps: each would say the same. */
const answers: Readonly<Record<number, "identity.unauthenticated" | "images.forbidden" | "images.not_found">> = {
  401: "identity.unauthenticated",
  403: "images.forbidden",
  404: "images.not_found",
};
/** Of several nodes that do not help, the reason that tells most: what may pass first, then what the operator has to see to. */
const reasons = ["stores.unavailable", "stores.proxy_failed", "stores.blob_not_found", "stores.foreign"] as const;

type Asked = { readonly imageId: string; readonly onward: Onward };

export function createProxyNodes(options: {
  /** One or more, as readForeignNodes gives them. */
  readonly urls: readonly string[];
  /** Of this node. */
  readonly nodeName: string;
  readonly logger: Logger;
}): ForeignNodes {
  const { urls, logger } = options;
  const reading = new HttpClient({ attemptsMax });
  const removing = new HttpClient({ attemptsMax, silentMsMax: removalMsMax });
  const headersOf = ({ headers }: Onward) => ({
    ...headers,
    // What is compressed on the way would be other bytes than those of a range.
    "accept-encoding": "identity",
    [passedOnHeader]: encodeURI(options.nodeName),
  });

  /** The answer of the first node that helps. */
  async function firstOf<T>({ imageId, onward }: Asked, ask: (url: string) => Promise<T>): Promise<T> {
    if (onward.passedOnBy !== undefined) throw passedOnAlready(onward.passedOnBy);
    const failures: ServiceError[] = [];
    for (const url of urls)
      try {
        return await ask(url);
      } catch (error) {
        if (!isServiceError(error, ...reasons)) throw error;
        const facts = { imageId, node: url, error: errorText(error) };
        logger.warn(facts, "a node does not help with an image whose store is not here");
        failures.push(error);
      }
    throw reasons.map((code) => failures.find((one) => one.code === code)).find((one) => one !== undefined);
  }

  return {
    async open(imageId, { sizeBytes, range, signal, onward }) {
      const { end } = range;
      const open = (from: number) =>
        firstOf({ imageId, onward }, async (node): Promise<Opened> => {
          const part = from === 0 && end === sizeBytes - 1 ? {} : { range: `bytes=${from}-${end}` };
          const headers = () => ({ ...headersOf(onward), ...part });
          const reply = await reading.request({ method: "GET", url: placeOf(node, imageId, "/file"), headers, signal });
          try {
            return opened(reply, { node, from, end, sizeBytes });
          } catch (error) {
            reply.body.destroy();
            throw error;
          }
        });
      return resumedStream({ what: `The data of image ${imageId}`, range, signal, open });
    },

    remove(imageId, { onward }) {
      return firstOf({ imageId, onward }, async (node) => {
        const url = placeOf(node, imageId);
        const reply = await removing.request({ method: "DELETE", url, headers: () => headersOf(onward) });
        reply.body.resume();
        if (reply.status >= 200 && reply.status < 300) return;
        if (reply.status !== 409) throw failure(node, reply.status);
        throw new ServiceError("stores.in_use", `The node at ${node} says that image ${imageId} is in use.`);
      });
    },

    close() {
      reading.close();
      removing.close();
    },
  };
}

function placeOf(node: string, imageId: string, rest = ""): URL {
  return new URL(`${node}/v2/images/${encodeURIComponent(imageId)}${rest}`);
}

type Wanted = { readonly node: string; readonly from: number; readonly end: number; readonly sizeBytes: number };

/** Throws where the reply is not the data that was asked for. */
function opened(reply: HttpReply, { node, from, end, sizeBytes }: Wanted): Opened {
  const { status, headers, body } = reply;
  if (status !== 200 && status !== 206) throw failure(node, status);
  const bytes = end - from + 1;
  // Not all nodes know ranges of every store: the whole is an answer, too.
  const expected = status === 200 ? sizeBytes : bytes;
  const length = lengthOf(reply);
  if (length !== expected)
    throw nonsense(node, `it has ${length ?? "an unknown number of"} bytes in place of ${expected}`);
  if ((headers["content-encoding"] ?? "identity") !== "identity") throw nonsense(node, "the data came compressed");
  if (status === 206 && !headers["content-range"]?.startsWith(`bytes ${from}-${end}/`))
    throw nonsense(node, `it sent other bytes than ${from}-${end}`);
  return { body, skipBytes: status === 200 ? from : 0, bytes };
}

function failure(node: string, status: number): ServiceError {
  const facts = { node, status };
  const said = answers[status];
  if (said) return new ServiceError(said, `The node at ${node}, which has the data, answers ${status}.`, { facts });
  if (status === 204)
    return new ServiceError("stores.blob_not_found", `The node at ${node} finds no data in its store.`, { facts });
  if (status === 501)
    return new ServiceError("stores.foreign", `The node at ${node} does not have the store of this image either.`, {
      facts,
    });
  if (status < 500) return nonsense(node, `it answered ${status}`);
  return new ServiceError("stores.unavailable", `The node at ${node} answered ${status}.`, { facts });
}

function nonsense(node: string, why: string): ServiceError {
  return new ServiceError("stores.proxy_failed", `The node at ${node}, which has the data, did not help: ${why}.`, {
    facts: { node },
  });
}

function passedOnAlready(by: string): ServiceError {
  const name = by.slice(0, 80);
  return new ServiceError(
    "stores.foreign",
    `The request was passed on by node ${name} already, and this node does not have the store of the image either: its foreign_store_proxy has to name a Glance node that has it.`,
    { facts: { passedOnBy: name } },
  );
}
