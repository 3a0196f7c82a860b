// Notifications over a real RabbitMQ: what listeners get, and that nobody who has something to tell ever waits for it.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { connect, type GetMessage } from "amqplib";
import { pino } from "pino";
import { eventually } from "../../../../test/servers/eventually.ts";
import { type RabbitmqServer, startRabbitmq } from "../../../../test/servers/rabbitmq.ts";
import { loadConfig } from "../../../core/config.ts";
import { isServiceError } from "../../../core/errors.ts";
import { StopStack } from "../../../core/lifecycle.ts";
import { notificationDefaultOptions, notificationOptions } from "../config.ts";
import { openNotifier } from "../notifier.ts";
import { rabbitOptions } from "./config.ts";

let broker: RabbitmqServer;
before(async () => {
  broker = await startRabbitmq();
});
after(() => broker?.stop());

/** `more`: further sections; each test has an exchange of its own. */
async function open(url: string, exchange: string, more = "", driver = "messagingv2") {
  const text = `[DEFAULT]\ntransport_url = ${url}\ncontrol_exchange = ${exchange}\n[oslo_messaging_notifications]\ndriver = ${driver}\ntopics = ${exchange}\n${more}`;
  const groups = [notificationOptions, notificationDefaultOptions, rabbitOptions];
  const config = loadConfig({ files: [{ file: "glance-api.conf", text }], groups });
  const log: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void log.push(line) });
  const stack = new StopStack();
  const notify = (await openNotifier(config, { logger, stack })) ?? assert.fail("a driver is set");
  return { notify, log, close: () => stack.stop() };
}

/** What comes into a queue, until that `isAll`; absent: the first. */
async function received(queue: string, isAll: (found: readonly Received[]) => boolean = (found) => found.length > 0) {
  const connection = await connect(broker.url.replace("rabbit", "amqp"));
  const channel = await connection.createChannel();
  // As it is made by who sends first.
  await channel.assertQueue(queue, { durable: false });
  const found: Received[] = [];
  await eventually(`all is in ${queue}`, async () => {
    for (
      let message = await channel.get(queue, { noAck: true });
      message;
      message = await channel.get(queue, { noAck: true })
    )
      found.push({ ...message, json: JSON.parse(message.content.toString("utf8")) });
    return isAll(found);
  });
  await connection.close();
  return found;
}

type Received = GetMessage & { readonly json: Record<string, string> };

test("bus: messagingv2 puts the reference's envelope into the queue of topic and priority, which is there for who listens later", async () => {
  const { notify, close } = await open(broker.url, "one");
  notify("image.create", { id: "i", name: "ünï" });
  notify("image.upload", "it broke", "ERROR");
  const [message] = await received("one.info");
  const { "oslo.version": version, "oslo.message": text } = message?.json ?? {};
  const { message_id, _unique_id, timestamp, ...rest } = JSON.parse(text ?? "");
  assert.deepEqual(
    [version, rest],
    [
      "2.0",
      {
        publisher_id: "image.localhost",
        event_type: "image.create",
        priority: "INFO",
        payload: { id: "i", name: "ünï" },
      },
    ],
  );
  assert.match(message_id, /^[0-9a-f-]{36}$/);
  assert.match(_unique_id, /^[0-9a-f]{32}$/);
  assert.match(timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
  const { contentType, contentEncoding, deliveryMode } = message?.properties ?? {};
  assert.deepEqual([contentType, contentEncoding, deliveryMode], ["application/json", "utf-8", 2]);
  assert.deepEqual([message?.fields.exchange, message?.fields.routingKey], ["one", "one.info"]);
  const [error] = await received("one.error");
  assert.equal(JSON.parse(error?.json["oslo.message"] ?? "").payload, "it broke");
  await close();
});

test("bus: messaging, the older form, has no envelope; what is disabled is not sent", async () => {
  const disabled = "[DEFAULT]\ndisabled_notifications = image.send\n";
  const { notify, close } = await open(broker.url, "two", disabled, "messaging");
  for (const event of ["image.send", "image.delete"]) notify(event, {});
  const messages = await received("two.info");
  assert.deepEqual(
    messages.map(({ json }) => json.event_type),
    ["image.delete"],
  );
  await close();
});

/** A way to the broker that can be cut; its port stays taken. */
async function startWay() {
  const sockets = new Set<Socket>();
  let open = true;
  const way = createServer((socket) => {
    if (!open) return void socket.destroy();
    const further = connectTcp(broker.port, "127.0.0.1");
    for (const end of [socket, further]) {
      sockets.add(end);
      end.on("error", () => undefined).on("close", () => sockets.delete(end));
    }
    socket.pipe(further).pipe(socket);
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  const cut = () => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  const mend = () => {
    open = true;
  };
  const close = () => {
    cut();
    way.close();
  };
  return { port: (way.address() as AddressInfo).port, cut, mend, close };
}

test("bus: a broker that goes and comes back gets all that was told meanwhile, in order", async (t) => {
  const way = await startWay();
  const { notify, log, close } = await open(`rabbit://guest:guest@127.0.0.1:${way.port}//`, "three");
  t.after(async () => {
    await close();
    way.close();
  });
  notify("image.create", 1);
  await received("three.info");
  way.cut();
  for (let index = 2; index <= 250; index++) notify("image.update", index);
  await eventually("the loss is noticed", () => log.some((line) => line.includes("message bus failed")));
  way.mend();
  const payloadOf = ({ json }: Received): number => JSON.parse(json["oslo.message"] ?? "").payload;
  const all = await received("three.info", (found) => found.some((message) => payloadOf(message) === 250));
  // What was sent and not confirmed when the way was cut may come twice, the first one too.
  assert.deepEqual(
    [...new Set(all.map(payloadOf))].filter((payload) => payload > 1),
    Array.from({ length: 249 }, (_, index) => index + 2),
  );
});

test("bus: where no broker takes them, a thousand wait, the others are dropped and counted, and nobody waits", async () => {
  const { notify, log, close } = await open("rabbit://guest:guest@127.0.0.1:1/", "four");
  for (let index = 0; index < 1_500; index++) notify("image.update", { index });
  assert(log.some((line) => line.includes("notifications are dropped")));
  await close();
  const lost = log.map((line) => JSON.parse(line).lost).find((count) => count !== undefined);
  const told = log.map((line) => JSON.parse(line).dropped).find((count) => count !== undefined);
  assert.equal(lost + told, 1_500);
});

test("bus: a URL that is none of RabbitMQ, and files that are not there, are refused at the start", async () => {
  const invalid = (error: unknown) => isServiceError(error, "config.invalid");
  await assert.rejects(open("kafka://127.0.0.1/", "five"), invalid);
  const tls = "[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = /none/such.pem\n";
  await assert.rejects(open(broker.url, "five", tls), invalid);
});
