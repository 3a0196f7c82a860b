// The clients of the hand-over benchmark, in a process of their own: some keep their connections, some open one for each request. Every
// answer's time is kept for a while, so that the parent can ask for the longest silence around the moment of a hand-over.
import { Agent, get } from "node:http";
import type { ClientAnswer, ClientQuestion } from "./hand-over.ts";

const [origin = "", token = "", keptCount = "0", freshCount = "0"] = process.argv.slice(2);
const keptMs = 20_000;
let requests = 0;
let failures = 0;
let firstFailure: string | null = null;
let stopping = false;
let answeredMs: number[] = [];

const kept = Array.from({ length: Number(keptCount) }, () => client(new Agent({ keepAlive: true, maxSockets: 1 })));
const fresh = Array.from({ length: Number(freshCount) }, () => client(new Agent({ keepAlive: false })));

process.on("message", async (question: ClientQuestion) => {
  if (question.ask === "stop") {
    stopping = true;
    await Promise.all([...kept, ...fresh]);
  }
  const silenceMs = question.ask === "silence" ? longestSilenceMs(question.fromMs, question.toMs) : 0;
  const answer: ClientAnswer = { requests, failures, firstFailure, silenceMs };
  process.send?.(answer, undefined, undefined, () => question.ask === "stop" && process.exit(0));
});

async function client(agent: Agent): Promise<void> {
  while (!stopping) {
    try {
      const status = await ask(agent);
      if (status !== 200) fail(`status ${status}`);
    } catch (error) {
      fail(String(error));
    }
    requests++;
    const nowMs = Date.now();
    answeredMs.push(nowMs);
    if (answeredMs.length > 200_000) answeredMs = answeredMs.filter((ms) => nowMs - ms < keptMs);
  }
  agent.destroy();
}

function fail(what: string): void {
  failures++;
  firstFailure ??= what;
}

function ask(agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${origin}/v2/images?limit=1`, { agent, headers: { "X-Auth-Token": token } }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    }).on("error", reject);
  });
}

function longestSilenceMs(fromMs: number, toMs: number): number {
  const times = [fromMs, ...answeredMs.filter((ms) => ms > fromMs && ms < toMs), toMs];
  return times.slice(1).reduce((longest, ms, index) => Math.max(longest, ms - (times[index] ?? ms)), 0);
}
