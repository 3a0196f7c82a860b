// How far the data migration is, how fast, and what holds it back.
import type { RolloutView } from "../../../src/console/model.ts";
import { count, duration } from "../words.ts";
import { Panel } from "./panel.tsx";

export function MigrationPanel({ view }: { view: RolloutView }) {
  const { migration } = view;
  if (!migration) {
    return (
      <Panel title="Migration" name="migration">
        <p class="empty">No data has been migrated yet.</p>
      </Panel>
    );
  }
  const progress = migration.progress?.value;
  return (
    <Panel title="Migration" name="migration" aside={migration.state}>
      {progress ? (
        <>
          <Bar done={progress.rowsDone} total={progress.rowsTotal} />
          <dl class={migration.progress?.stale ? "figures stale" : "figures"}>
            <Figure name="rows" text={rowsText(progress.rowsDone, progress.rowsTotal)} />
            <Figure
              name="rate"
              text={progress.rowsPerSecond === null ? "–" : `${count(progress.rowsPerSecond)} rows/s`}
            />
            <Figure name="ends in" text={progress.etaSeconds === null ? "–" : duration(progress.etaSeconds)} />
            <Figure name="batch" text={progress.batchRows === null ? "–" : `${count(progress.batchRows)} rows`} />
          </dl>
          {progress.heldBack && <p class="card-note">held back: {progress.heldBack}</p>}
        </>
      ) : (
        <p class="empty">Its figures are not known yet.</p>
      )}
    </Panel>
  );
}

function rowsText(done: number, total: number | null): string {
  return total === null ? count(done) : `${count(done)} of ${count(total)}`;
}

function Bar({ done, total }: { done: number; total: number | null }) {
  const part = total === null || total === 0 ? undefined : Math.min(1, done / total);
  return <progress max={1} value={total === 0 ? 1 : part} aria-label={`${rowsText(done, total)} rows migrated`} />;
}

function Figure({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}
