// Who listens hears of everything that happens to an image, and of nothing that did not happen.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { test } from "node:test";
import { loadConfig } from "../../core/config.ts";
import { StopStack } from "../../core/lifecycle.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { alice, Fixture, formats, never, read, send, settled, withCode } from "../testing/fixture.ts";
import { notificationDefaultOptions, notificationOptions } from "./config.ts";
import { type Notify, openNotifier } from "./notifier.ts";

type Heard = { readonly event: string; readonly payload: Record<string, unknown>; readonly priority: string };

function listen() {
  const heard: Heard[] = [];
  const notify: Notify = (event, payload, priority = "INFO") =>
    void heard.push({ event, payload: payload as Heard["payload"], priority });
  const fixture = new Fixture();
  return { heard, fixture, services: fixture.node({ release: "2026.1", notify }) };
}

test("notifications: the life of an image, in order", async () => {
  const { heard, services } = listen();
  const { id } = await services.images.create(alice, { ...formats, visibility: "shared", name: "one" });
  await services.images.addTag(alice, id, "t");
  await send(services, alice, id, Buffer.from("data"));
  await services.members.add(alice, id, "bob");
  await services.members.remove(alice, id, "bob");
  await read(services, alice, id);
  await settled();
  await services.images.remove(alice, id);
  assert.deepEqual(
    heard.map(({ event }) => event),
    [
      ...["image.create", "image.update", "image.prepare", "image.upload", "image.activate"],
      ...["image.member.create", "image.member.delete", "image.send", "image.delete"],
    ],
  );
  const payloadOf = (event: string) => heard.find((one) => one.event === event)?.payload;
  assert.deepEqual([payloadOf("image.prepare")?.status, payloadOf("image.activate")?.status], ["saving", "active"]);
  assert.deepEqual([payloadOf("image.activate")?.size, payloadOf("image.activate")?.is_public], [4, false]);
  assert.deepEqual(payloadOf("image.send"), {
    bytes_sent: 4,
    image_id: id,
    owner_id: "alice",
    receiver_tenant_id: "alice",
    receiver_user_id: "user",
  });
  assert.deepEqual([payloadOf("image.delete")?.status, payloadOf("image.delete")?.deleted], ["deleted", true]);
  for (const { payload } of heard) assert(!("locations" in payload));
});

test("notifications: what breaks is told as an error, what is refused not at all", async () => {
  const { heard, services } = listen();
  const { id } = await services.images.create(alice, formats);
  const options = { signal: never, announcedBytes: 9 };
  const short = services.data.upload(alice, id, Readable.from([Buffer.from("data")]), {
    ...options,
    announcedBytes: 2,
  });
  await assert.rejects(short, withCode("images.invalid"));
  await assert.rejects(services.images.remove(alice, "no-such-image"), withCode("images.not_found"));
  const gone = new Readable({ read() {} });
  const cut = services.data.upload(alice, id, gone, options);
  gone.push("x");
  await settled();
  gone.destroy();
  await assert.rejects(cut, withCode("api.client_gone"));
  const errors = heard.filter(({ priority }) => priority === "ERROR");
  assert.deepEqual(
    errors.map(({ event, payload }) => [event, typeof payload]),
    [["image.upload", "string"]],
  );
  assert(!heard.some(({ event }) => event === "image.activate" || event === "image.delete"));
});

test("notifications: a download that is given up tells how far it came", async () => {
  const { heard, services } = listen();
  const { id } = await services.images.create(alice, formats);
  await send(services, alice, id, Buffer.alloc(2_000_000));
  const { stream } = await services.data.download(alice, id, { signal: never });
  stream.destroy();
  await once(stream, "close");
  await settled();
  assert.deepEqual([heard.at(-1)?.event, heard.at(-1)?.priority], ["image.send", "ERROR"]);
});

test("notifications: drivers and disabled events are the operator's", async () => {
  const lines: Record<string, unknown>[] = [];
  const note = (facts: Record<string, unknown>) => void lines.push(facts);
  const logger = Object.assign(Object.create(silentLogger), { info: note, warn: note, error: note }) as Logger;
  const configOf = (text: string) => {
    const files = [{ file: "/etc/glance/glance-api.conf", text }];
    return loadConfig({ files, groups: [notificationOptions, notificationDefaultOptions] });
  };
  const section = "[oslo_messaging_notifications]\n";
  const open = (text: string) => openNotifier(configOf(text), { logger, stack: new StopStack() });
  assert.equal(await open(""), undefined);
  assert.equal(await open(`${section}driver = noop\n`), undefined);
  assert.equal(lines.length, 0);
  assert.equal(await open(`${section}driver = routing\n`), undefined);
  assert.deepEqual(lines.pop(), { drivers: ["routing"] });
  await assert.rejects(open(`${section}driver = mail\n`), withCode("config.invalid"));
  const disabled = "[DEFAULT]\ndisabled_notifications = image.member,image.send\n";
  const notify = await open(`${disabled}${section}driver = log\n`);
  for (const event of ["image.member.create", "image.send", "image.create"]) notify?.(event, { id: "i" });
  assert.equal(lines.length, 1);
  const { notification } = lines[0] as { notification: Record<string, unknown> };
  assert.deepEqual(
    [notification.event_type, notification.publisher_id, notification.priority, notification.payload],
    ["image.create", "image.localhost", "INFO", { id: "i" }],
  );
});
