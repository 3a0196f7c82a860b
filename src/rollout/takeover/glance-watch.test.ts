// Which connection of the database's list is one of a Glance that was stopped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isOneOf } from "./glance-watch.ts";

test("a connection is told by address and port, and by its port alone where the server names its clients", () => {
  const ends = ["10.0.0.1:54321", "2001:db8:0:0:0:0:0:1:54322"];
  assert(isOneOf("10.0.0.1:54321", ends));
  assert(!isOneOf("10.0.0.2:54321", ends));
  assert(!isOneOf("10.0.0.1:54322", ends));
  assert(isOneOf("glance-1.example.org:54321", ends));
  assert(!isOneOf("localhost", ends));
});
