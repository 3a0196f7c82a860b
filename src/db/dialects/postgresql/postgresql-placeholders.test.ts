import assert from "node:assert/strict";
import { test } from "node:test";
import { numberedPlaceholders } from "./postgresql-placeholders.ts";

test("postgresql: placeholders are numbered in the order of their values", () => {
  const made = numberedPlaceholders("select a from t where a = ? and b in (?, ?) limit ?");
  assert.equal(made, "select a from t where a = $1 and b in ($2, $3) limit $4");
  assert.equal(numberedPlaceholders("select 1"), "select 1");
});

test("postgresql: a question mark in a string, identifier, body or comment is none", () => {
  const untouched = [
    "'a ? b'",
    "'it''s ?'",
    "'a \\'",
    "E'it\\'s ?'",
    '"odd ? name"',
    "$$ body ? $$",
    "$tag$ body $$ ? $tag$",
    "-- why?\n",
    "/* why? /* really? */ ? */",
  ];
  for (const piece of untouched)
    assert.equal(numberedPlaceholders(`select ?, ${piece}, ?`), `select $1, ${piece}, $2`, piece);
});

test("postgresql: what only looks like a quote hides no placeholder", () => {
  assert.equal(numberedPlaceholders("select a$b, ? from t$ where c = ?"), "select a$b, $1 from t$ where c = $2");
  assert.equal(numberedPlaceholders("select type'x', ?"), "select type'x', $1");
  assert.equal(numberedPlaceholders("select ? - -?, ? / ?"), "select $1 - -$2, $3 / $4");
});
