// What the server says without a SQLSTATE of its own, and cannot be made to say at will.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { ServiceError } from "../../../core/errors.ts";
import { translatePostgresqlError } from "./postgresql-errors.ts";

test("errors of PostgreSQL: a connection that was ended because the disk was full says that it is", () => {
  const said = new pg.DatabaseError("could not write init file", 90, "error");
  Object.assign(said, { severity: "FATAL", code: "XX000", file: "relcache.c", routine: "write_item" });
  const error = translatePostgresqlError(said, { sent: false, place: "postgresql://db/glance" });
  assert(error instanceof ServiceError);
  assert.equal(error.code, "db.full");
  assert.match(error.message, /no room left/);
});
