// A console on a port of its own over a rollout that a test makes up.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemClock } from "../../core/clock.ts";
import type { JournalEvent } from "../../rollout/journal-event.ts";
import type { DoAct } from "../acts.ts";
import { LiveDesk } from "../live-desk.ts";
import type { PastRollouts } from "../past-rollouts.ts";
import { createConsoleServer, listen } from "../server.ts";

export const token = "a-token-of-enough-characters";

export type TestConsole = { readonly desk: LiveDesk; readonly address: string; close(): Promise<void> };

export async function startConsole(
  t: TestContext,
  options: {
    doAct?: DoAct;
    past?: PastRollouts;
    port?: number;
    fleet?: string;
    nodes?: readonly string[];
    /** Folder of the page; absent: one that shows nothing. */
    page?: string;
  } = {},
): Promise<TestConsole> {
  const folder = mkdtempSync(join(tmpdir(), "console-"));
  await mkdir(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>page</title>");
  writeFileSync(join(folder, "assets", "index-1.js"), "export {};");
  const { doAct, past = { list: async () => [], find: async () => undefined }, fleet: name = "glance" } = options;
  const nodes = (options.nodes ?? ["n1"]).map((node) => ({ name: node }) as never);
  const fleet = { name, target: "ocata", nodes } as const;
  const desk = new LiveDesk({ fleet, control: doAct !== undefined, clock: systemClock });
  const app = createConsoleServer({
    feed: desk.feed,
    past,
    page: options.page ?? folder,
    host: "127.0.0.1",
    ...(doAct && { control: { token, doAct } }),
  });
  const address = await listen(app, "127.0.0.1", options.port ?? 0);
  const close = async () => {
    desk.close();
    await app.close();
  };
  t.after(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { desk, address, close };
}

export function entry(seq: number, text = `entry ${seq}`): JournalEvent {
  const time = new Date(Date.parse("2026-11-26T12:00:00Z") + seq * 1000).toISOString();
  return { seq, time, kind: "observation", phase: "nodes", text };
}

export type StreamedEvent = { readonly id: string; readonly event: string; readonly data: string };

/** What a page is told, from its stream on, one after the other; signs of life are left out. */
export async function* openStream(
  address: string,
  lastId?: string,
  signal?: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  const headers = lastId === undefined ? {} : { "last-event-id": lastId };
  const answer = await fetch(`${address}/api/events`, { headers, ...(signal && { signal }) });
  if (!answer.body) return;
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of answer.body) {
    text += decoder.decode(part, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text.slice(0, end))?.[1] ?? "";
      const event = { id: field("id"), event: field("event"), data: field("data") };
      text = text.slice(end + 2);
      if (event.event === "whole" || event.event === "patch") yield event;
    }
  }
}
