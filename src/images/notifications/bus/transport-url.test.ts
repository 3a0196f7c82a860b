import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTransportUrl } from "./transport-url.ts";

const one = { host: "mq", port: 5_672, user: "guest", password: "guest" };

test("transport_url: hosts, logins and the virtual host are read as oslo.messaging reads them", () => {
  for (const [text, addresses, virtualHost] of [
    ["rabbit://", [{ ...one, host: "localhost" }], "/"],
    ["rabbit://mq", [one], "/"],
    ["rabbit://mq/", [one], "/"],
    ["rabbit://mq//", [one], "/"],
    ["rabbit://mq:5/glance", [{ ...one, port: 5 }], "glance"],
    ["rabbit://u%40:p%3A:%2F@mq/a%20b?ssl=0", [{ ...one, user: "u@", password: "p::/" }], "a b"],
    [
      "kombu://u:p@[::1]:5,v:q@mq/",
      [
        { host: "::1", port: 5, user: "u", password: "p" },
        { ...one, user: "v", password: "q" },
      ],
      "/",
    ],
  ] as const)
    assert.deepEqual(parseTransportUrl(text), { addresses, virtualHost }, text);
});

test("transport_url: what is none of RabbitMQ is not taken for one", () => {
  for (const text of [
    "",
    "mq",
    "rabbit:",
    "rabbit://mq:70000/",
    "fake://mq",
    "rabbit://u:%ZZ@mq/",
    "rabbit://mq:port/",
  ])
    assert.equal(parseTransportUrl(text), undefined, text);
});
