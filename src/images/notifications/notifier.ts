// Where notifications go: into the log of this node, over a message bus, or nowhere.
import { randomUUID } from "node:crypto";
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { StopStack } from "../../core/lifecycle.ts";
import type { Logger } from "../../core/logger.ts";
import { AmqpBus } from "./bus/amqp-bus.ts";
import { type BusSettings, readBusSettings } from "./bus/config.ts";
import { notificationDefaultOptions, notificationOptions } from "./config.ts";

/** `payload`: what the event is about, or the text of what failed. Never throws, and never waits. */
export type Notify = (eventType: string, payload: unknown, priority?: "INFO" | "ERROR") => void;

type Notification = Readonly<Record<string, unknown>> & {
  readonly event_type: string;
  readonly priority: "INFO" | "ERROR";
};
type Driver = (notification: Notification) => void;

/** By their messages: `messaging` sends the older ones, without an envelope. */
const busDrivers: readonly string[] = ["messaging", "messagingv2"];
const unsentDrivers: readonly string[] = ["routing", "test"];
const drivers: readonly string[] = [...busDrivers, ...unsentDrivers, "log", "noop", ""];

export type NotifierPlan = {
  readonly named: readonly string[];
  /** null where nothing goes over a bus. */
  readonly bus: BusSettings | null;
};

/** What the configuration asks for, without opening anything. Throws config.invalid. */
export function planNotifier(config: Pick<Config, "read">): NotifierPlan {
  const named = config.read(notificationOptions).driver.map((name) => name.trim());
  const unknown = named.find((name) => !drivers.includes(name));
  if (unknown !== undefined)
    throw new ServiceError(
      "config.invalid",
      `[oslo_messaging_notifications] driver is "${unknown}": give messagingv2, messaging, log, noop, or nothing.`,
      { facts: { section: "oslo_messaging_notifications", option: "driver" } },
    );
  return { named, bus: named.some((name) => busDrivers.includes(name)) ? readBusSettings(config) : null };
}

/** undefined where nobody listens. A broker that is away keeps no node from starting. Throws config.invalid. */
export async function openNotifier(
  config: Pick<Config, "read">,
  { logger, stack }: { readonly logger: Logger; readonly stack: StopStack },
): Promise<Notify | undefined> {
  const { named, bus } = planNotifier(config);
  const unsent = named.filter((name) => unsentDrivers.includes(name));
  if (unsent.length > 0)
    logger.warn({ drivers: unsent }, "[oslo_messaging_notifications] driver: these send nothing here");
  const chosen: Driver[] = named.includes("log") ? [loggingDriver(logger)] : [];
  if (bus) chosen.push(...(await openBus(bus, named, { logger, stack })));
  if (chosen.length === 0) return undefined;
  const { default_publisher_id: publisher, disabled_notifications: disabled } = config.read(notificationDefaultOptions);
  const isDisabled = (eventType: string) =>
    disabled.some((name) => eventType === name.trim() || eventType.startsWith(`${name.trim()}.`));
  return (eventType, payload, priority = "INFO") => {
    if (isDisabled(eventType)) return;
    const timestamp = new Date().toISOString().replace("T", " ").replace("Z", "000");
    const about = { message_id: randomUUID(), publisher_id: publisher, timestamp, priority, event_type: eventType };
    for (const driver of chosen) driver({ ...about, payload });
  };
}

function loggingDriver(logger: Logger): Driver {
  return (notification) => {
    const level = notification.priority === "ERROR" ? "error" : "info";
    logger[level]({ notification }, `notification ${notification.event_type}`);
  };
}

async function openBus(
  settings: BusSettings,
  named: readonly string[],
  { logger, stack }: { readonly logger: Logger; readonly stack: StopStack },
): Promise<readonly Driver[]> {
  // Loaded by who sends, and at once: the files may be another release's by the time of the first message.
  const { connect } = await import("amqplib");
  const bus = new AmqpBus({ settings, connect, clock: systemClock, logger });
  stack.defer(() => bus.close());
  const send = ({ priority }: Notification, message: object) => {
    const body = Buffer.from(JSON.stringify(message));
    for (const topic of settings.topics) bus.send({ routingKey: `${topic}.${priority.toLowerCase()}`, body });
  };
  return busDrivers
    .filter((name) => named.includes(name))
    .map((name) => (notification: Notification) => {
      const message = { ...notification, _unique_id: randomUUID().replaceAll("-", "") };
      send(notification, name === "messaging" ? message : enveloped(message));
    });
}

/** The reference's second version of messages: one text in an object that says so. */
function enveloped(message: object): object {
  return { "oslo.version": "2.0", "oslo.message": JSON.stringify(message) };
}
