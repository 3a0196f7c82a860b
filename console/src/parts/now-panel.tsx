// What the runner does or waits for, and what comes next, in words. A change is read out by screen readers when they have time for it.
import type { RolloutView } from "../../../src/console/model.ts";
import { duration } from "../words.ts";

export function NowPanel({ view }: { view: RolloutView }) {
  const { now } = view;
  const seconds = now.sinceMs === null ? null : Math.max(0, (view.atMs - now.sinceMs) / 1000);
  const isOver = ["finished", "aborted", "rolled back", "not begun"].includes(view.state);
  return (
    <section class="now" aria-label="What happens now">
      <div class="now-words" aria-live="polite" aria-atomic="true">
        <p class="now-doing">
          {now.waits && !/\bwaits\b/i.test(now.doing) && <span class="now-waits">waits</span>}
          {now.doing}
        </p>
        {now.why && <p class="now-why">{now.why}</p>}
      </div>
      <div class="now-next">
        {now.next && (
          <p>
            <span class="dim">next</span> {now.next}
          </p>
        )}
        {!isOver && seconds !== null && <p class="dim">for {duration(seconds)}</p>}
      </div>
    </section>
  );
}
