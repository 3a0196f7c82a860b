// Why a data migration is held back on MySQL and MariaDB, told from what the server says of itself. Servers are played here: a full redo
// log, a cluster in flow control and a replica that lags cannot be had on demand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../../core/errors.ts";
import type { Queryable, Row } from "../../database.ts";
import { pressureReader, readReplicaLag } from "./pressure.ts";

const limits = { threadsRunningMax: 24 };

/** Answers one question after the other; an error is thrown. */
function server(...answers: readonly (readonly Row[] | Error)[]): Queryable & { asked: string[] } {
  const asked: string[] = [];
  let turn = 0;
  return {
    asked,
    async query<R extends Row>(sql: string) {
      asked.push(sql);
      const answer = answers[Math.min(turn++, answers.length - 1)] ?? [];
      if (answer instanceof Error) throw answer;
      return answer as R[];
    },
    run: async () => assert.fail("nothing is written"),
  };
}

const status = (values: Readonly<Record<string, number>>): readonly Row[] =>
  Object.entries(values).map(([name, value]) => ({ Variable_name: name, Value: String(value) }));

test("pressure: statements at once and a full redo log are reasons, a healthy server is none", async () => {
  const log = (age: number) => ({ Threads_running: 3, Innodb_checkpoint_age: age, Innodb_checkpoint_max_age: 1_000 });
  assert.equal(await pressureReader(server(status(log(900))))(limits), null);
  assert.match((await pressureReader(server(status(log(960))))(limits)) ?? "", /redo log is 96 % full/);
  // MySQL does not tell.
  assert.equal(await pressureReader(server(status({ Threads_running: 24 })))(limits), null);
  assert.match(
    (await pressureReader(server(status({ Threads_running: 25 })))(limits)) ?? "",
    /25 statements .*limit 24/,
  );
});

test("pressure: a cluster counts as slow for what it waited since the last look, not for what it ever waited", async () => {
  const waited = (ns: number) => status({ Threads_running: 1, wsrep_flow_control_paused_ns: ns });
  const read = pressureReader(server(waited(5e12), waited(5e12), waited(6e12), waited(6e12)));
  assert.equal(await read(limits), null);
  assert.equal(await read(limits), null);
  assert.match((await read(limits)) ?? "", /does not keep up/);
  assert.equal(await read(limits), null);
});

test("replica lag: both spellings of the question, and a replica that stands still is not a replica that keeps up", async () => {
  assert.equal(await readReplicaLag(server([{ Seconds_Behind_Source: 7 }])), 7);
  const refused = new ServiceError("db.statement_failed", "syntax");
  const old = server(refused, [{ Seconds_Behind_Master: "3" }]);
  assert.equal(await readReplicaLag(old), 3);
  assert.deepEqual(old.asked, ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]);
  assert.equal(await readReplicaLag(server([{ Seconds_Behind_Master: null }])), null);
  assert.equal(await readReplicaLag(server([])), null);
  const denied = new ServiceError("db.access_denied", "no");
  await assert.rejects(readReplicaLag(server(denied)), { code: "db.access_denied" });
});
