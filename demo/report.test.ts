// What the demo prints: the JSON object's members and their order, success only where all is well, and a picture that fits a terminal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DemoOutcome, initialState } from "./demo.ts";
import { isSuccess, reportText, summarize } from "./report.ts";
import { picture } from "./screen.ts";
import { Recorder } from "./traffic/recorder.ts";

function outcome(changes: Partial<DemoOutcome> = {}): DemoOutcome {
  const recorder = new Recorder();
  recorder.window = "control";
  const one = { kind: "show", transfer: false, startedMs: performance.now(), cut: false } as const;
  recorder.record({ ...one, window: "control" });
  recorder.record({ ...one, window: "rollout" });
  return {
    recorder,
    stops: [{ node: "n1", uploads: 1, downloads: 2 }],
    images: { checked: 24, wrong: [] },
    rollout: { code: 0, stderr: "", seconds: 21.5 },
    contracted: true,
    from: "newton",
    to: "ocata",
    release: "ocata",
    seconds: 48.2,
    ...changes,
  };
}
const kinds = { database: "sqlite", balancer: "builtin" } as const;

test("report: the JSON object has exactly the members that were promised", () => {
  assert.equal(
    Object.keys(summarize(outcome(), kinds)).join(),
    "requests,failed,transfersCut,imagesChecked,imagesWrong,p99ControlMs,p99RolloutMs,release,database,balancer,contracted,seconds",
  );
});

test("report: success means that nothing failed and the rollout ended", () => {
  const judge = (changes: Partial<DemoOutcome>) => {
    const judged = outcome(changes);
    return isSuccess(judged, summarize(judged, kinds));
  };
  assert(judge({}));
  assert(!judge({ contracted: false }));
  assert(!judge({ release: "newton" }));
  assert(!judge({ images: { checked: 24, wrong: ["sample-01"] } }));
  assert(!judge({ rollout: { code: 7, stderr: "paused", seconds: 1 } }));
  const failed = outcome();
  failed.recorder.record({ kind: "show", transfer: false, window: "rollout", startedMs: 0, failure: "status 502" });
  assert(!isSuccess(failed, summarize(failed, kinds)));
  assert.match(reportText(failed, summarize(failed, kinds)), /NOT CLEAN[\s\S]*status 502|status 502[\s\S]*NOT CLEAN/);
});

test("screen: the picture shows phases and nodes, and no line is wider than a terminal", () => {
  const state = initialState({ from: "newton", to: "ocata" });
  state.activity = "rollout to ocata";
  state.console = "http://127.0.0.1:41234";
  state.registry = [{ name: "n1", release: "newton", state: "serving", uploads: 1, downloads: 0 }];
  const time = "2026-11-23T00:00:00Z";
  state.events.push({ seq: 1, time, kind: "result", phase: "backup", text: "", data: { do: "back-up", ok: true } });
  state.events.push({ seq: 2, time, kind: "decision", phase: "nodes", node: "n1", text: "", data: { do: "drain" } });
  state.events.push({ seq: 3, time, kind: "decision", phase: "expand", text: "x".repeat(300) });
  const lines = picture(state, 12, 130).split("\n");
  assert(lines.some((line) => line.includes("✔ backup   ▶ expand   · migrate   · nodes")));
  assert(lines.some((line) => /n1 +newton +serving +1 +0/.test(line)));
  assert(lines.some((line) => /console +http:\/\/127\.0\.0\.1:41234$/.test(line)));
  for (const line of lines) assert(line.length <= 120, line);
});
