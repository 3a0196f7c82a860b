import assert from "node:assert/strict";
import { test } from "node:test";
import { statementOf } from "./postgresql-statements.ts";

const nameAfter = (uses: number, sql: string) => {
  for (let at = 1; at < uses; at++) statementOf(sql);
  return statementOf(sql).name;
};

test("postgresql: a statement gets a name when it has come several times, and keeps it", () => {
  const sql = "select a from t where id = ?";
  assert.equal(nameAfter(5, sql), null);
  const name = nameAfter(1, sql);
  assert.match(name ?? "", /^perennial_\d+$/);
  assert.equal(nameAfter(20, sql), name);
  assert.notEqual(nameAfter(10, `${sql} and b = ?`), name);
  assert.equal(statementOf(sql).text, "select a from t where id = $1");
});

test("postgresql: a statement with LIMIT is planned for its values each time", () => {
  assert.equal(nameAfter(50, "select a from t where b = ? order by a LIMIT 25"), null);
});

test("postgresql: names and memory are bounded, however many statements are made up", () => {
  const sql = (at: number) => `select ${at} from t where id = ?`;
  for (let at = 0; at < 5_000; at++) nameAfter(at < 1_000 ? 10 : 1, sql(at));
  assert.equal(nameAfter(100, sql(4_999)), null);
  assert.match(statementOf(sql(0)).name ?? "", /^perennial_/, "what has a name is not forgotten");
});
