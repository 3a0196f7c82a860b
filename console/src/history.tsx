// Past rollouts, newest first; each opens as a replay.
import { useEffect, useState } from "preact/hooks";
import type { RolloutSummary } from "../../src/console/past-rollouts.ts";
import { count, dayAndTime, duration } from "./words.ts";

export function History() {
  const [told, setTold] = useState<readonly RolloutSummary[] | string | null>(null);
  useEffect(() => {
    ask<readonly RolloutSummary[]>("/api/rollouts").then(setTold);
  }, []);
  return (
    <div class="history">
      <header class="top">
        <a class="brand" href="#/">
          Perennial
        </a>
        <h1>Rollouts of this fleet</h1>
        <span class="space" />
        <a class="to-history" href="#/">
          Now
        </a>
      </header>
      <main>
        {told === null && <p class="empty">The journals are being read.</p>}
        {typeof told === "string" && (
          <p class="trouble" role="alert">
            {told}
          </p>
        )}
        {Array.isArray(told) && <Rollouts rollouts={told} />}
      </main>
    </div>
  );
}

function Rollouts({ rollouts }: { rollouts: readonly RolloutSummary[] }) {
  if (rollouts.length === 0) return <p class="empty">No rollout of this fleet has begun.</p>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Rollout</th>
          <th scope="col">State</th>
          <th scope="col">Began</th>
          <th scope="col">Took</th>
          <th scope="col">Pauses</th>
          <th scope="col">Entries</th>
          <th scope="col">Journal</th>
        </tr>
      </thead>
      <tbody>
        {rollouts.map((one) => (
          <tr key={one.rollout}>
            <th scope="row">
              <a href={`#/rollouts/${encodeURIComponent(one.rollout)}`}>{one.rollout}</a>
            </th>
            <td>
              <span class={`badge badge-${one.state.replace(" ", "-")}`}>{one.state}</span>
            </td>
            <td>{dayAndTime(Date.parse(one.began))}</td>
            <td>{duration(one.seconds)}</td>
            <td>{one.pauses}</td>
            <td>{count(one.entries)}</td>
            <td class={one.broken ? "trouble" : ""}>
              {one.broken ? `broken at entry ${one.broken.seq}: ${one.broken.why}` : "whole"}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What the server has under this path, or a sentence on why there is nothing. */
export async function ask<Answer>(path: string): Promise<Answer | string> {
  try {
    const answer = await fetch(path);
    const body: unknown = await answer.json();
    if (answer.ok) return body as Answer;
    return (body as { message?: string }).message ?? `The server answered ${answer.status}.`;
  } catch {
    return "The console's server does not answer; start it again and reload this page.";
  }
}
