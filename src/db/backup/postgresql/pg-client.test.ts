// A dump of pg_dump read as text, and the words of its programs told apart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../../../core/errors.ts";
import { translatePgWords } from "./pg-client.ts";
import { PgDumpReader } from "./pg-dump-reader.ts";

const dump = Buffer.from(
  [
    "COPY public.images (id, name) FROM stdin;",
    "a\tCOPY public.none (id) FROM stdin;",
    "b\t\\\\.",
    `c\t${"x".repeat(1_000)}`,
    "\\.",
    "",
    'COPY "odd ""schema"."odd.table" (id) FROM stdin;',
    "\\.",
    "",
    "COPY public.alembic_version (version_num) FROM stdin;",
    "",
    "-- PostgreSQL database dump complete",
    "\\.",
    "-- PostgreSQL database dump complete",
    "",
  ].join("\n"),
);

test("pg_dump: rows are counted whatever stands in them, wherever the chunks are cut", () => {
  for (const size of [1, 7, 64, dump.length]) {
    const reader = new PgDumpReader();
    for (let at = 0; at < dump.length; at += size) {
      assert.equal(reader.complete, false);
      reader.push(dump.subarray(at, at + size));
    }
    assert.deepEqual(reader.rows, { alembic_version: 2, images: 3, "odd.table": 0 });
    assert.equal(reader.complete, true);
  }
});

test("pg programs: a refused user and a server that is gone are told apart from the rest", () => {
  const codeOf = (line: string) => {
    const error = translatePgWords(line);
    return isServiceError(error) ? error.code : null;
  };
  const at = 'pg_dump: error: connection to server at "127.0.0.1", port 5432 failed:';
  assert.equal(codeOf(`${at} FATAL:  password authentication failed for user "x"`), "db.access_denied");
  assert.equal(codeOf("psql:<stdin>:12: ERROR:  permission denied for schema public"), "db.access_denied");
  assert.equal(codeOf(`${at} Connection refused`), "db.unreachable");
  assert.equal(codeOf('psql:<stdin>:3: ERROR:  relation "images" already exists'), null);
});
