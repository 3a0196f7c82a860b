// MD5 of a stream, computed in a thread beside the event loop: hashing costs more than all else an upload does, and other requests must not
// wait for it. Pieces travel in shared memory, copied once and never allocated again. What is small is hashed on the spot.
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import type { Md5Order, Md5Reply } from "./md5-thread.ts";

const pieceBytes = 524_288;
/** Two: one is filled while the other is hashed. */
const piecesMax = 2;
/** Up to here, a millisecond at most, no thread is asked. */
const inlineBytesMax = 262_144;

type Piece = { readonly number: number; readonly bytes: Buffer; used: number };

export class StreamMd5 {
  /** Held back until it is clear that the stream is not a small one. */
  #small: Buffer[] = [];
  #smallBytes = 0;
  #thread: ThreadClient | undefined;

  /** Resolves when there is room for more. Rejects where the thread died. One call at a time. */
  async add(chunk: Buffer): Promise<void> {
    if (this.#thread) return this.#thread.add(chunk);
    this.#small.push(chunk);
    this.#smallBytes += chunk.length;
    if (this.#smallBytes <= inlineBytesMax) return;
    this.#thread = new ThreadClient();
    const held = this.#small;
    this.#small = [];
    for (const one of held) await this.#thread.add(one);
  }

  /** Hex. Once, after the last `add`. */
  async digest(): Promise<string> {
    if (this.#thread) return this.#thread.digest();
    const hash = createHash("md5");
    for (const chunk of this.#small) hash.update(chunk);
    return hash.digest("hex");
  }

  /** Lets go of a stream that will not end. Harmless after `digest`, and twice. */
  discard(): void {
    this.#small = [];
    this.#thread?.discard();
  }
}

/** One stream's part of the thread. */
class ThreadClient {
  readonly #thread = Md5Thread.shared();
  readonly #stream: number;
  readonly #free: Piece[] = [];
  #piecesMade = 0;
  #filling: Piece | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #digest: PromiseWithResolvers<string> | undefined;
  #failure: Error | undefined;
  readonly #pieces = new Map<number, Piece>();

  constructor() {
    this.#stream = this.#thread.open({
      reply: (reply) => this.#onReply(reply),
      fail: (error) => this.#fail(error),
    });
  }

  async add(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      this.#filling ??= await this.#freePiece();
      const piece = this.#filling;
      const copied = rest.copy(piece.bytes, piece.used);
      piece.used += copied;
      rest = rest.subarray(copied);
      if (piece.used === piece.bytes.length) this.#post();
    }
  }

  async digest(): Promise<string> {
    if (this.#failure) throw this.#failure;
    if (this.#filling) this.#post();
    this.#digest = Promise.withResolvers();
    this.#thread.order({ stream: this.#stream, do: "digest" });
    return this.#digest.promise.finally(() => this.#thread.close(this.#stream));
  }

  discard(): void {
    if (this.#failure || this.#digest) return;
    this.#thread.order({ stream: this.#stream, do: "forget" });
    this.#thread.close(this.#stream);
    this.#fail(new Error("the stream was given up"));
  }

  async #freePiece(): Promise<Piece> {
    while (!this.#failure) {
      const free = this.#free.pop();
      if (free) return free;
      if (this.#piecesMade < piecesMax) {
        const number = this.#piecesMade++;
        const made = { number, bytes: Buffer.from(new SharedArrayBuffer(pieceBytes)), used: 0 };
        this.#pieces.set(number, made);
        return made;
      }
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    throw this.#failure;
  }

  #post(): void {
    const piece = this.#filling;
    this.#filling = undefined;
    if (!piece) return;
    const { number, bytes, used } = piece;
    this.#thread.order({ stream: this.#stream, do: "hash", piece: bytes, number, length: used });
  }

  #onReply(reply: Md5Reply): void {
    if ("digest" in reply) {
      this.#digest?.resolve(reply.digest);
      return;
    }
    const piece = this.#pieces.get(reply.free);
    if (piece) {
      piece.used = 0;
      this.#free.push(piece);
    }
    this.#waiting?.resolve();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.resolve();
    this.#digest?.reject(error);
  }
}

type Client = { readonly reply: (reply: Md5Reply) => void; readonly fail: (error: Error) => void };

/** The one thread of this process, started by the first stream that needs it. It keeps the process alive only while a stream is open. */
class Md5Thread {
  static #current: Md5Thread | undefined;
  readonly #worker: Worker;
  readonly #clients = new Map<number, Client>();
  #streams = 0;

  static shared(): Md5Thread {
    Md5Thread.#current ??= new Md5Thread();
    return Md5Thread.#current;
  }

  private constructor() {
    const module = import.meta.url.endsWith(".ts") ? "./md5-thread.ts" : "./md5-thread.js";
    this.#worker = new Worker(new URL(module, import.meta.url));
    this.#worker.on("message", (reply: Md5Reply) => this.#clients.get(reply.stream)?.reply(reply));
    this.#worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => this.#fail(new Error(`the hashing thread ended (${code})`)));
    this.#worker.unref();
  }

  open(client: Client): number {
    const stream = ++this.#streams;
    this.#clients.set(stream, client);
    this.#worker.ref();
    return stream;
  }

  close(stream: number): void {
    this.#clients.delete(stream);
    if (this.#clients.size === 0) this.#worker.unref();
  }

  order(order: Md5Order): void {
    this.#worker.postMessage(order);
  }

  /** Uploads under way fail and can be tried again; the next one starts a new thread. */
  #fail(error: Error): void {
    if (Md5Thread.#current === this) Md5Thread.#current = undefined;
    for (const client of this.#clients.values()) client.fail(error);
    this.#clients.clear();
  }
}
