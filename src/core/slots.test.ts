// Slots: never more at once than there are, in order, and none is lost to those who stop waiting.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "./slots.ts";

const signal = new AbortController().signal;

test("slots: who comes first is first, and never more at once than there are", async () => {
  const slots = new Slots(2);
  const order: number[] = [];
  let now = 0;
  let most = 0;
  await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (one) => {
      const giveBack = await slots.take(signal);
      order.push(one);
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      giveBack();
      giveBack();
    }),
  );
  assert.deepEqual([order, most], [[0, 1, 2, 3, 4, 5], 2]);
});

test("slots: one who stops waiting takes none, and the next one has it", async () => {
  const slots = new Slots(1);
  const giveBack = await slots.take(signal);
  const stop = new AbortController();
  const given = slots.take(stop.signal);
  const next = slots.take(signal);
  stop.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  await assert.rejects(slots.take(stop.signal), /enough/);
  giveBack();
  (await next)();
  (await slots.take(signal))();
});
