// Orders to the rollout, where this console takes any. Each asks once and says what it will do. The token is asked for once and lives in
// this page's memory alone: closing or reloading the page forgets it.
import type { TargetedSubmitEvent } from "preact";
import { useRef, useState } from "preact/hooks";
import type { ConsoleAct } from "../../../src/console/acts.ts";
import type { LiveState } from "../../../src/console/live-state.ts";
import { type Choice, choicesOf } from "../choices.ts";

type Credentials = { readonly token: string; readonly who: string };

export function Orders({ live, off }: { live: LiveState; off: boolean }) {
  const [asked, ask] = useState<Choice | null>(null);
  const [answer, setAnswer] = useState<{ text: string; failed: boolean } | null>(null);
  const known = useRef<Credentials | null>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const open = (choice: Choice) => {
    ask(choice);
    setAnswer(null);
    dialog.current?.showModal();
  };
  const send = async (order: ConsoleAct, credentials: Credentials) => {
    dialog.current?.close();
    const sent = await sendOrder(order, credentials);
    // A wrong token is asked for again.
    known.current = sent.status === 401 ? null : credentials;
    setAnswer({ text: sent.message, failed: sent.status !== 200 });
  };
  return (
    <section class="orders" aria-label="Orders to the rollout">
      {choicesOf(live).map((choice) => (
        <button
          type="button"
          key={choice.label}
          class={choice.grave ? "order order-grave" : "order"}
          disabled={off || !choice.possible}
          onClick={() => open(choice)}
        >
          {choice.label}
        </button>
      ))}
      <p class={answer?.failed ? "order-answer trouble" : "order-answer"} role="status">
        {answer?.text ?? ""}
      </p>
      <dialog ref={dialog} aria-labelledby="order-title" onClose={() => ask(null)}>
        {asked && (
          <Question choice={asked} known={known.current} onSend={send} onLeave={() => dialog.current?.close()} />
        )}
      </dialog>
    </section>
  );
}

type QuestionProps = {
  choice: Choice;
  known: Credentials | null;
  onSend: (order: ConsoleAct, credentials: Credentials) => Promise<void>;
  onLeave: () => void;
};

function Question({ choice, known, onSend, onLeave }: QuestionProps) {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const order = choice.read((name) => text(name));
    const credentials = known ?? { token: text("token"), who: text("who") };
    if (order) void onSend(order, credentials);
  };
  return (
    <form onSubmit={submit}>
      <h2 id="order-title">{choice.label}?</h2>
      <p>{choice.says}</p>
      {choice.fields.map(({ name, label, hint }) => (
        <label key={name} class="field">
          {label}
          <input name={name} type="number" min={1} max={1_000_000} step={1} placeholder={hint} />
        </label>
      ))}
      {known ? (
        <p class="dim">In the name of {known.who}.</p>
      ) : (
        <>
          <label class="field">
            Your name, for the journal
            <input name="who" required maxLength={80} pattern="[\p{L}\p{N} ._@\-]+" autocomplete="username" />
          </label>
          <label class="field">
            Token of this console
            <input name="token" type="password" required autocomplete="off" />
          </label>
        </>
      )}
      <div class="dialog-end">
        <button type="button" class="order" onClick={onLeave}>
          Leave it
        </button>
        <button type="submit" class={choice.grave ? "order order-grave" : "order order-main"}>
          {choice.label}
        </button>
      </div>
    </form>
  );
}

async function sendOrder(order: ConsoleAct, { token, who }: Credentials): Promise<{ status: number; message: string }> {
  try {
    const answer = await fetch("/api/orders", {
      method: "POST",
      headers: { "content-type": "application/json", "x-console-token": token },
      body: JSON.stringify({ ...order, who }),
    });
    const { message } = (await answer.json()) as { message: string };
    return { status: answer.status, message };
  } catch {
    return {
      status: 0,
      message: "The console's server did not answer; what became of the order shows in the journal.",
    };
  }
}
