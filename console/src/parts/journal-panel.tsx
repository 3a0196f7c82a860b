// The journal, newest first, with what is asked for only. Long ones are drawn in part: the filter finds the rest.
import { useMemo, useState } from "preact/hooks";
import type { JournalLine } from "../../../src/console/model.ts";
import { counted, timeOfDay } from "../words.ts";
import { Panel } from "./panel.tsx";
import { steady } from "./steady.ts";

const shownMax = 150;
const kinds = ["decision", "action", "result", "observation"] as const;

export function JournalPanel({ entries, total }: { entries: readonly JournalLine[]; total: number }) {
  const [words, setWords] = useState("");
  const [kind, setKind] = useState("");
  const found = useMemo(() => findEntries(entries, words, kind), [entries, words, kind]);
  const aside = (
    <form class="filter" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span class="hidden">Kind of entry</span>
        <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">all kinds</option>
          {kinds.map((one) => (
            <option key={one} value={one}>
              {one}s
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="hidden">Words in the journal</span>
        <input
          type="search"
          placeholder="filter"
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
        />
      </label>
      <span class="dim">
        {found.length === total ? counted(total, "entry", "entries") : `${found.length} of ${total}`}
      </span>
    </form>
  );
  return (
    <Panel title="Journal" name="journal" aside={aside}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard too */}
      <ol class="journal" tabIndex={0} aria-label="Journal, newest first">
        {found
          .slice(-shownMax)
          .reverse()
          .map((entry) => (
            <Entry key={entry.seq} entry={entry} />
          ))}
        {found.length > shownMax && (
          <li class="empty">{counted(found.length - shownMax, "older entry", "older entries")}</li>
        )}
        {found.length === 0 && (
          <li class="empty">{total === 0 ? "Nothing has been written yet." : "Nothing matches."}</li>
        )}
      </ol>
    </Panel>
  );
}

const Entry = steady<{ entry: JournalLine }>(({ entry }) => (
  <li class={`entry entry-${entry.kind}${entry.data.ok === false ? " entry-failed" : ""}`}>
    <time>{timeOfDay(entry.atMs)}</time>
    <span class="entry-about">{entry.node ?? entry.phase}</span>
    <span class="entry-text">{entry.text}</span>
  </li>
));

/** Oldest first. */
function findEntries(entries: readonly JournalLine[], words: string, kind: string): readonly JournalLine[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0 && kind === "") return entries;
  return entries.filter((entry) => {
    if (kind !== "" && entry.kind !== kind) return false;
    const text = `${entry.kind} ${entry.phase} ${entry.node ?? ""} ${entry.text}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
