// Options of the message bus, under the names operators have them.
import { readFileSync } from "node:fs";
import type { Config } from "../../../core/config.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { optionGroup } from "../../../core/options.ts";
import { notificationDefaultOptions, notificationOptions } from "../config.ts";
import { parseTransportUrl, type TransportUrl } from "./transport-url.ts";

const rabbitSection = "oslo_messaging_rabbit";

export const rabbitOptions = optionGroup(rabbitSection, {
  amqp_durable_queues: {
    type: "boolean",
    default: false,
    deprecated: ["DEFAULT.amqp_durable_queues", "DEFAULT.rabbit_durable_queues"],
    help: "Exchange and queues outlive the broker. As whoever else declares them: a broker refuses what differs.",
  },
  amqp_auto_delete: {
    type: "boolean",
    default: false,
    deprecated: ["DEFAULT.amqp_auto_delete"],
    help: "Exchange and queues go with the last who uses them. As whoever else declares them.",
  },
  ssl: {
    type: "boolean",
    default: false,
    deprecated: ["oslo_messaging_rabbit.rabbit_use_ssl"],
    help: "Connect by TLS.",
  },
  ssl_ca_file: {
    type: "string",
    default: "",
    deprecated: ["oslo_messaging_rabbit.kombu_ssl_ca_certs"],
    help: "PEM file of the authorities that the broker's certificate may come from. Unset: those of Node.js.",
  },
  ssl_cert_file: {
    type: "string",
    default: "",
    deprecated: ["oslo_messaging_rabbit.kombu_ssl_certfile"],
    help: "PEM file of a certificate to show to the broker.",
  },
  ssl_key_file: {
    type: "string",
    default: "",
    deprecated: ["oslo_messaging_rabbit.kombu_ssl_keyfile"],
    help: "PEM file of that certificate's key.",
  },
});

export type BusSettings = {
  readonly url: TransportUrl;
  readonly exchange: string;
  /** Routing keys begin with them: `notifications.info`. */
  readonly topics: readonly string[];
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** null: no TLS. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | null;
};

/** Throws config.invalid. */
export function readBusSettings(config: Pick<Config, "read">): BusSettings {
  const notifications = config.read(notificationOptions);
  const { control_exchange: exchange, transport_url: common } = config.read(notificationDefaultOptions);
  const rabbit = config.read(rabbitOptions);
  const own = notifications.transport_url;
  const [section, text] = own === null ? ["DEFAULT", common] : ["oslo_messaging_notifications", own];
  const url = parseTransportUrl(text);
  if (!url)
    throw new ServiceError(
      "config.invalid",
      `[${section}] transport_url is no URL of RabbitMQ: give rabbit://USER:PASSWORD@HOST:PORT/, or another driver of notifications.`,
      { facts: { section, option: "transport_url" } },
    );
  return {
    url,
    exchange,
    topics: notifications.topics,
    durable: rabbit.amqp_durable_queues,
    autoDelete: rabbit.amqp_auto_delete,
    tls: rabbit.ssl
      ? {
          ...pem("ca", "ssl_ca_file", rabbit.ssl_ca_file),
          ...pem("cert", "ssl_cert_file", rabbit.ssl_cert_file),
          ...pem("key", "ssl_key_file", rabbit.ssl_key_file),
        }
      : null,
  };
}

function pem<K extends string>(key: K, option: string, file: string): { readonly [P in K]?: Buffer } {
  if (file === "") return {};
  try {
    return { [key]: readFileSync(file) } as { readonly [P in K]: Buffer };
  } catch (error) {
    throw new ServiceError("config.invalid", `[${rabbitSection}] ${option}: ${errorText(error)}.`, {
      facts: { section: rabbitSection, option },
    });
  }
}
