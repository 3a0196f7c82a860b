// Where notifications go. Only the log of this node takes them: sending them over AMQP is not done here, and never silently left out.
import { randomUUID } from "node:crypto";
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { notificationDefaultOptions, notificationOptions } from "./config.ts";

/** `payload`: what the event is about, or the text of what failed. Never throws. */
export type Notify = (eventType: string, payload: unknown, priority?: "INFO" | "ERROR") => void;

const silentDrivers: readonly string[] = ["noop"];
const unsentDrivers: readonly string[] = ["messaging", "messagingv2", "routing", "test"];

/** undefined where nobody listens. Throws config.invalid where a driver is none. */
export function readNotifier(config: Pick<Config, "read">, logger: Logger): Notify | undefined {
  const drivers = config.read(notificationOptions).driver.map((name) => name.trim());
  const unsent = drivers.filter((name) => unsentDrivers.includes(name));
  const unknown = drivers.find((name) => ![...silentDrivers, ...unsentDrivers, "log", ""].includes(name));
  if (unknown !== undefined)
    throw new ServiceError(
      "config.invalid",
      `[oslo_messaging_notifications] driver is "${unknown}": give log, noop, or nothing.`,
      { facts: { section: "oslo_messaging_notifications", option: "driver" } },
    );
  if (unsent.length > 0)
    logger.warn(
      { drivers: unsent },
      "[oslo_messaging_notifications] driver: this node sends no notifications over a message bus; log is there",
    );
  return drivers.includes("log") ? loggingNotifier(config, logger) : undefined;
}

function loggingNotifier(config: Pick<Config, "read">, logger: Logger): Notify {
  const { default_publisher_id: publisher, disabled_notifications: disabled } = config.read(notificationDefaultOptions);
  const isDisabled = (eventType: string) =>
    disabled.some((name) => eventType === name.trim() || eventType.startsWith(`${name.trim()}.`));
  return (eventType, payload, priority = "INFO") => {
    if (isDisabled(eventType)) return;
    const timestamp = new Date().toISOString().replace("T", " ").replace("Z", "000");
    const message = { message_id: randomUUID(), publisher_id: publisher, timestamp, priority, event_type: eventType };
    const level = priority === "ERROR" ? "error" : "info";
    logger[level]({ notification: { ...message, payload } }, `notification ${eventType}`);
  };
}
