// Whom the fleet file wants told: a web address, and commands of the operator's own.
import { errorText, ServiceError } from "../../core/errors.ts";
import type { JournalEvent } from "../journal-event.ts";
import { fillIn, runCommand } from "../run-command.ts";
import type { Destination, EventKinds } from "./event-outbox.ts";

export type WebhookAt = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly kinds: EventKinds;
};
export type HookAt = { readonly command: readonly string[]; readonly kinds: EventKinds };
export type EventsAt = { readonly webhook?: WebhookAt; readonly hooks: readonly HookAt[] };

/** What they are told besides the entry. */
export type About = { readonly rollout: string; readonly fleet: string };

const answerMsMax = 10_000;
const commandMsMax = 60_000;

export function destinationsOf(at: EventsAt, about: About): readonly Destination[] {
  const hooks = at.hooks.map((hook, index) => commandDestination(hook, index, about));
  return at.webhook ? [webhookDestination(at.webhook, about), ...hooks] : hooks;
}

function webhookDestination({ url, headers, kinds }: WebhookAt, about: About): Destination {
  const { host } = new URL(url);
  const name = `the webhook at ${host}`;
  return {
    name,
    kinds,
    async send(event, signal) {
      const body = JSON.stringify({ ...about, ...event });
      const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
      let response: Response;
      try {
        const all = { ...headers, "content-type": "application/json" };
        response = await fetch(url, { method: "POST", headers: all, body, signal: limit, redirect: "error" });
        await response.body?.cancel();
      } catch (error) {
        throw new ServiceError("rollout.driver_failed", `${name} cannot be reached (${errorText(error)})`, {
          cause: error,
        });
      }
      if (!response.ok) throw new ServiceError("rollout.driver_failed", `${name} answers ${response.status}`);
    },
  };
}

function commandDestination({ command, kinds }: HookAt, index: number, about: About): Destination {
  const name = `the hook events.hooks[${index}]`;
  return {
    name,
    kinds,
    async send(event, signal) {
      const words = fillIn(command, wordsOf(event, about));
      const input = `${JSON.stringify({ ...about, ...event })}\n`;
      await runCommand(words, { what: name, msMax: commandMsMax, signal, input });
    },
  };
}

function wordsOf(event: JournalEvent, about: About): Readonly<Record<string, string>> {
  const { seq, kind, phase, node = "", data } = event;
  return { ...about, seq: String(seq), kind, phase, node, do: String(data?.do ?? "") };
}
