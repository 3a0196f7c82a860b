// Sends messages to RabbitMQ from a queue of its own, so that whoever has something to tell never waits: the queue is bounded, what does not fit is
// dropped and counted, and a broker that is away is tried again and again while there is something to send. A message leaves the queue once the
// broker has confirmed it; one whose confirmation was lost is sent again, and carries an id by which listeners know it.
import type { ConfirmChannel, connect as connectBroker } from "amqplib";
import type { Clock } from "../../../core/clock.ts";
import { errorText } from "../../../core/errors.ts";
import type { Logger } from "../../../core/logger.ts";
import type { BusSettings } from "./config.ts";

export type BusMessage = { readonly routingKey: string; readonly body: Buffer };

export type AmqpBusDeps = {
  readonly settings: BusSettings;
  /** The library's. */
  readonly connect: typeof connectBroker;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** A minute of what a busy node has to tell. */
const waitingMax = 1_000;
/** Images may have properties of megabytes. */
const waitingBytesMax = 8 * 2 ** 20;
const batchMax = 100;
const connectMsMax = 10_000;
const heartbeatSeconds = 60;
const pauseMsMin = 500;
const pauseMsMax = 30_000;
const closeMsMax = 5_000;
/** Between two warnings of what was dropped. */
const dropsToldMs = 60_000;

export class AmqpBus {
  readonly #deps: AmqpBusDeps;
  readonly #waiting: BusMessage[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #waitingBytes = 0;
  #dropped = 0;
  #droppedToldMs = Number.NEGATIVE_INFINITY;
  #nextAddress = 0;

  /** Connects with the first message. */
  constructor(deps: AmqpBusDeps) {
    this.#deps = deps;
  }

  /** Never waits, never throws. */
  send(message: BusMessage): void {
    const full = this.#waiting.length >= waitingMax || this.#waitingBytes + message.body.length > waitingBytesMax;
    if (full || this.#closing.signal.aborted) {
      this.#dropped += 1;
      this.#tellDropped();
      return;
    }
    this.#waiting.push(message);
    this.#waitingBytes += message.body.length;
    this.#running ??= this.#run();
    this.#wake();
  }

  /** Sends what waits while a broker takes it, for some seconds; what is left is lost, and counted in the log. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    const { clock, logger } = this.#deps;
    const ended = new AbortController();
    const enough = clock.sleep(closeMsMax, ended.signal).catch(() => undefined);
    if (this.#running) await Promise.race([this.#running, enough]);
    ended.abort();
    const lost = this.#waiting.length + this.#dropped;
    if (lost > 0) logger.warn({ lost }, "notifications were lost: the message bus did not take them before the end");
  }

  #tellDropped(): void {
    const { clock, logger } = this.#deps;
    if (clock.monotonicMs() - this.#droppedToldMs < dropsToldMs) return;
    logger.warn(
      { dropped: this.#dropped },
      "notifications are dropped: the message bus does not take them fast enough",
    );
    this.#droppedToldMs = clock.monotonicMs();
    this.#dropped = 0;
  }

  /** Resolves when there is something to send, or nothing more will come. */
  async #something(): Promise<void> {
    while (this.#waiting.length === 0 && !this.#closing.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#deps;
    for (let failures = 0; !this.#closing.signal.aborted; ) {
      await this.#something();
      if (this.#waiting.length === 0) return;
      const taken = () => {
        failures = 0;
      };
      try {
        await this.#session(taken);
      } catch (error) {
        logger.warn(
          { error: errorText(error), waiting: this.#waiting.length },
          "the message bus failed; it is tried again",
        );
        const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** failures++) * (0.5 + Math.random() / 2);
        await clock.sleep(pauseMs, this.#closing.signal).catch(() => undefined);
      }
    }
  }

  /** Ends when all is sent and nothing more will come; `taken` is called whenever the broker took some. Throws when the connection is lost. */
  async #session(taken: () => void): Promise<void> {
    const { settings, connect } = this.#deps;
    const { addresses, virtualHost } = settings.url;
    const { host, port, user, password } = addresses[this.#nextAddress++ % addresses.length] ?? addresses[0];
    const connection = await connect(
      {
        protocol: settings.tls ? "amqps" : "amqp",
        hostname: host,
        port,
        username: user,
        password,
        vhost: virtualHost,
        heartbeat: heartbeatSeconds,
      },
      { timeout: connectMsMax, noDelay: true, ...settings.tls },
    );
    const { promise: lost, reject } = Promise.withResolvers<never>();
    // It may be lost while nobody waits for anything of it.
    lost.catch(() => undefined);
    connection.on("error", reject);
    connection.on("close", (error) => reject(error ?? new Error("the broker closed the connection")));
    try {
      const channel = await connection.createConfirmChannel();
      channel.on("error", reject);
      channel.on("close", () => reject(new Error("the broker closed the channel")));
      await this.#sendAll(channel, { lost, taken });
    } finally {
      await connection.close().catch(() => undefined);
    }
  }

  async #sendAll(
    channel: ConfirmChannel,
    { lost, taken }: { readonly lost: Promise<never>; readonly taken: () => void },
  ): Promise<void> {
    const declared = new Set<string>();
    for (;;) {
      await Promise.race([this.#something(), lost]);
      if (this.#waiting.length === 0) return;
      const batch = this.#waiting.slice(0, batchMax);
      for (const { routingKey, body } of batch) {
        if (!declared.has(routingKey)) await this.#declare(channel, routingKey);
        declared.add(routingKey);
        channel.publish(this.#deps.settings.exchange, routingKey, body, {
          persistent: true,
          contentType: "application/json",
          contentEncoding: "utf-8",
        });
      }
      await Promise.race([channel.waitForConfirms(), lost]);
      taken();
      // New ones were put behind these.
      for (const { body } of this.#waiting.splice(0, batch.length)) this.#waitingBytes -= body.length;
    }
  }

  /** As the reference does, so that what is told before anybody listens is kept for who listens first. */
  async #declare(channel: ConfirmChannel, routingKey: string): Promise<void> {
    const { exchange, durable, autoDelete } = this.#deps.settings;
    await channel.assertExchange(exchange, "topic", { durable, autoDelete });
    await channel.assertQueue(routingKey, { durable, autoDelete });
    await channel.bindQueue(routingKey, exchange, routingKey);
  }
}
