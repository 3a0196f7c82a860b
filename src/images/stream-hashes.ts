// Several hashes of one stream, computed in threads beside the event loop, a thread for each: hashing costs more than all else an upload
// does, and other requests must not wait for it; together the hashes take as long as the slowest of them alone. Pieces travel in shared
// memory, which all threads read: copied once and never allocated again. Whoever wants the data as well is given the same pieces. What is small
// is hashed on the spot. A signature is checked alike.

import { Worker } from "node:worker_threads";
import { lendPiece, returnPiece } from "../core/lent-pieces.ts";
import { ownModule } from "../core/package-files.ts";
import { type HashAlgorithm, openSslName } from "./hash-algorithms.ts";
import type { HashOrder, HashReply } from "./hash-thread.ts";
import { keepPiece, takePiece } from "./piece-memory.ts";
import { beginWork, type Signature, type StreamWork, valid } from "./stream-work.ts";

/**
 * Under way at once: one is filled while others are hashed; with 2 MB a thread that has to wait for a processor holds up the other one less: on
 * busy processors MD5 and SHA-512 together were a fifth to a third faster than with 1 MB.
 */
const piecesMax = 8;
/** A client that sends this little: what it sent goes on all the same, for a connection to a store would be ended as one that says nothing. */
const fillingMsMax = 10_000;
/** Up to here, two milliseconds at most, no thread is asked. */
const inlineBytesMax = 262_144;

/** Hex, by algorithm. */
export type Digests = ReadonlyMap<HashAlgorithm, string>;

/** Signatures have one thread among them, whatever the hash below them: they are rare. */
type Lane = HashAlgorithm | "signature";
type Works = ReadonlyMap<Lane, StreamWork>;
type Results = ReadonlyMap<Lane, string>;

export type StreamHashesOptions = {
  /** To be checked beside the hashes; absent or null: none. */
  readonly signature?: Signature | null;
  /**
   * Where the data goes on to, in its order, in pieces that are lent (core/lent-pieces.ts); all have gone when `digests` resolves. What is added
   * then belongs to this stream, and is given back where it was lent. Absent: it stays whose it was, and must not be lent.
   */
  readonly onPiece?: (piece: Buffer) => void;
};

export class StreamHashes {
  readonly #works: Works;
  readonly #onPiece: StreamHashesOptions["onPiece"];
  /** Held back until it is clear that the stream is not a small one. */
  #small: Buffer[] = [];
  #smallBytes = 0;
  #threads: ThreadedHashes | undefined;
  #results: Results | undefined;

  /** One named twice is computed once. */
  constructor(algorithms: readonly HashAlgorithm[], { signature, onPiece }: StreamHashesOptions = {}) {
    this.#onPiece = onPiece;
    this.#works = new Map<Lane, StreamWork>([
      ...algorithms.map((name): [Lane, StreamWork] => [name, { kind: "hash", openSslName: openSslName(name) }]),
      ...(signature ? [["signature", { kind: "signature", signature }] as const] : []),
    ]);
  }

  /** Resolves when there is room for more. Rejects where a thread died. One call at a time. */
  async add(chunk: Buffer): Promise<void> {
    if (this.#threads) return this.#addTo(this.#threads, chunk);
    this.#small.push(chunk);
    this.#smallBytes += chunk.length;
    if (this.#smallBytes <= inlineBytesMax) return;
    this.#threads = new ThreadedHashes(this.#works, this.#onPiece);
    const held = this.#small;
    this.#small = [];
    for (const one of held) await this.#addTo(this.#threads, one);
  }

  async #addTo(threads: ThreadedHashes, chunk: Buffer): Promise<void> {
    await threads.add(chunk);
    if (this.#onPiece) returnPiece(chunk);
  }

  /** Once, after the last `add`. */
  async digests(): Promise<Digests> {
    this.#results = this.#threads ? await this.#threads.results() : this.#resultsHere();
    const isHash = (entry: [Lane, string]): entry is [HashAlgorithm, string] => entry[0] !== "signature";
    return new Map([...this.#results].filter(isHash));
  }

  /** Whether the signature is one of this stream, which is known after `digests`. */
  get isSigned(): boolean {
    return this.#results?.get("signature") === valid;
  }

  #resultsHere(): Results {
    const resultOf = (work: StreamWork) => {
      const begun = beginWork(work);
      for (const chunk of this.#small) begun.update(chunk);
      return begun.end();
    };
    const results = new Map([...this.#works].map(([lane, work]) => [lane, resultOf(work)]));
    if (this.#onPiece) this.#small.forEach(this.#onPiece);
    return results;
  }

  /** Lets go of a stream that will not end. Harmless after `digests`, and twice. */
  discard(): void {
    this.#small = [];
    this.#threads?.discard();
  }
}

type Piece = {
  readonly number: number;
  readonly bytes: Buffer;
  used: number;
  /** Threads that have not hashed it yet. */
  readers: number;
  /** Somebody else has it as well. It may be filled again when nobody has it. */
  lent: boolean;
};

type OpenLane = { readonly thread: HashThread; readonly stream: number };

/** One stream's part of the threads. The slowest of them sets the pace: no more than a few pieces wait for it. */
class ThreadedHashes {
  readonly #lanes: readonly OpenLane[];
  readonly #onPiece: StreamHashesOptions["onPiece"];
  /** Those that threads still read, by number. One that only its borrower has is garbage where it is not given back. */
  readonly #hashing = new Map<number, Piece>();
  readonly #made = new Map<Lane, string>();
  #filling: Piece | undefined;
  #fillingTimer: NodeJS.Timeout | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #results: PromiseWithResolvers<Results> | undefined;
  #failure: Error | undefined;
  #piecesMade = 0;

  constructor(works: Works, onPiece: StreamHashesOptions["onPiece"]) {
    this.#onPiece = onPiece;
    this.#lanes = [...works].map(([lane, work]) => {
      const thread = HashThread.shared(lane);
      const stream = thread.open({
        reply: (reply) => this.#onReply(lane, reply),
        fail: (error) => {
          this.#fail(error);
          // What that thread was given it will never have read.
          this.#close();
        },
      });
      thread.order({ stream, do: "begin", work });
      return { thread, stream };
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

  async results(): Promise<Results> {
    if (this.#failure) throw this.#failure;
    if (this.#filling) this.#post();
    this.#results = Promise.withResolvers();
    for (const { thread, stream } of this.#lanes) thread.order({ stream, do: "end" });
    return this.#results.promise.finally(() => this.#close());
  }

  discard(): void {
    if (!this.#results) this.#fail(new Error("the stream was given up"));
  }

  async #freePiece(): Promise<Piece> {
    while (!this.#failure) {
      if (this.#hashing.size < piecesMax) return this.#newPiece();
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    throw this.#failure;
  }

  #newPiece(): Piece {
    if (this.#onPiece) this.#fillingTimer = setTimeout(() => this.#post(), fillingMsMax).unref();
    return { number: ++this.#piecesMade, bytes: takePiece(), used: 0, readers: 0, lent: false };
  }

  #post(): void {
    const piece = this.#filling;
    clearTimeout(this.#fillingTimer);
    this.#filling = undefined;
    if (!piece) return;
    const { number, bytes, used } = piece;
    piece.readers = this.#lanes.length;
    this.#hashing.set(number, piece);
    this.#lend(piece);
    for (const { thread, stream } of this.#lanes)
      thread.order({ stream, do: "update", piece: bytes, number, length: used });
  }

  #onReply(lane: Lane, reply: HashReply): void {
    if ("result" in reply) {
      this.#made.set(lane, reply.result);
      if (this.#made.size === this.#lanes.length) this.#results?.resolve(this.#made);
      return;
    }
    const piece = this.#hashing.get(reply.free);
    if (!piece) return;
    piece.readers -= 1;
    if (piece.readers > 0) return;
    this.#hashing.delete(piece.number);
    this.#keep(piece);
    if (this.#failure && this.#hashing.size === 0) this.#close();
    this.#waiting?.resolve();
  }

  #lend(piece: Piece): void {
    if (!this.#onPiece) return;
    piece.lent = true;
    const filled = piece.bytes.subarray(0, piece.used);
    lendPiece(filled, () => {
      piece.lent = false;
      this.#keep(piece);
    });
    this.#onPiece(filled);
  }

  #keep(piece: Piece): void {
    if (piece.readers === 0 && !piece.lent) keepPiece(piece.bytes);
  }

  #close(): void {
    for (const { thread, stream } of this.#lanes) thread.close(stream);
  }

  /** Where one thread ended, the others need not go on. */
  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    clearTimeout(this.#fillingTimer);
    if (this.#filling) keepPiece(this.#filling.bytes);
    this.#filling = undefined;
    for (const { thread, stream } of this.#lanes) thread.order({ stream, do: "forget" });
    // Else once the threads have read what they were given.
    if (this.#hashing.size === 0) this.#close();
    this.#waiting?.resolve();
    this.#results?.reject(error);
  }
}

type Client = { readonly reply: (reply: HashReply) => void; readonly fail: (error: Error) => void };

/** The one thread of this process for a lane, started by the first stream that needs it. It keeps the process alive only while a stream is open. */
class HashThread {
  static readonly #running = new Map<Lane, HashThread>();
  readonly #lane: Lane;
  readonly #worker: Worker;
  readonly #clients = new Map<number, Client>();
  #streams = 0;

  static shared(lane: Lane): HashThread {
    const thread = HashThread.#running.get(lane) ?? new HashThread(lane);
    HashThread.#running.set(lane, thread);
    return thread;
  }

  private constructor(lane: Lane) {
    this.#lane = lane;
    this.#worker = new Worker(ownModule("images/hash-thread"));
    this.#worker.on("message", (reply: HashReply) => this.#clients.get(reply.stream)?.reply(reply));
    this.#worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => this.#fail(new Error(`the thread of ${lane} ended (${code})`)));
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

  order(order: HashOrder): void {
    this.#worker.postMessage(order);
  }

  /** Uploads under way fail and can be tried again; the next one starts a new thread. */
  #fail(error: Error): void {
    if (HashThread.#running.get(this.#lane) === this) HashThread.#running.delete(this.#lane);
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    for (const client of clients) client.fail(error);
  }
}
