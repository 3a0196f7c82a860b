import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configurationPage } from "./configuration-docs.ts";

test("docs: docs/configuration.md is what the declared options say (else run: node scripts/configuration-docs.ts)", () => {
  assert.equal(readFileSync("docs/configuration.md", "utf8"), configurationPage());
});
