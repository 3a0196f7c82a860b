import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText, transferText } from "./replication-output.ts";

test("replication: sizes have the unit that suits them", () => {
  for (const [bytes, text] of [
    [0, "0 B"],
    [0.4, "0 B"],
    [1_023, "1023 B"],
    [1_024, "1.0 KiB"],
    [1_500_000, "1.4 MiB"],
    [2 ** 40, "1.0 TiB"],
    [2 ** 60, "1024.0 PiB"],
  ] as const)
    assert.equal(bytesText(bytes), text);
});

test("replication: a transfer tells how far it is, its rate, and what is left at that rate", () => {
  assert.equal(transferText(2 ** 20, 4 * 2 ** 20, 2), "1.0 MiB of 4.0 MiB, 512.0 KiB/s, 6 s left");
  assert.equal(transferText(0, 10, 0), "0 B of 10 B, 0 B/s");
});
