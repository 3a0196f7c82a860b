// The manual is complete: every error code, exit code, path and feature of the reference stands in docs/.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { routesOf } from "../src/api/route-table.ts";
import { exitCodes } from "../src/cli/exit-codes.ts";
import { lockFlags } from "../src/cli/manage-command.ts";
import { manageCommands } from "../src/cli/manage-commands.ts";
import { errorCodes } from "../src/core/errors.ts";
import { oldestRelease, releases } from "../src/releases/catalogue.ts";

test("docs: docs/errors.md documents exactly the codes that exist", () => {
  const documented = [...readFileSync("docs/errors.md", "utf8").matchAll(/^\| `([a-z_.]+)` \|/gm)].map(
    ([, code]) => code,
  );
  assert.deepEqual([...documented].sort(), [...errorCodes].sort());
});

test("docs: docs/exit-codes.md lists exactly the exit codes that exist", () => {
  const rows = readFileSync("docs/exit-codes.md", "utf8").matchAll(/^\| (\d+) \| (\w+) \|/gm);
  const documented = Object.fromEntries([...rows].map(([, code, name]) => [name, Number(code)]));
  assert.deepEqual(documented, { ...exitCodes });
});

test("docs: docs/glance-manage.md has a part for every command, with every option of its own", () => {
  const parts = readFileSync("docs/glance-manage.md", "utf8").split(/^##+ /m);
  for (const { name, flags } of manageCommands) {
    const part = parts.find((one) => one.startsWith(`db ${name}\n`));
    assert(part, `db ${name}`);
    for (const { flag } of flags.filter((one) => !lockFlags.includes(one)))
      assert(part.includes(flag.split(/[ ,]/)[0] ?? ""), `db ${name} ${flag}`);
  }
});

const statusWords = ["yes", "by release", "differs", "partly", "no"];
/** Of the reference's features that docs/compatibility.md is about. */
const featureCount = 243;

const compatibility = readFileSync("docs/compatibility.md", "utf8").split(/^## /m);
const sectionOf = (title: string) => compatibility.find((part) => part.startsWith(`${title}\n`)) ?? "";

type Feature = { readonly number: number; readonly priority: string; readonly status: string; readonly note: string };

/** Rows of tables that begin with a number. */
function featuresIn(text: string): readonly Feature[] {
  const rows = text.split("\n").filter((line) => /^\| \d/.test(line));
  return rows.map((row) => {
    const [number, , priority = "", status = "", note = ""] = row.split(" |").map((cell) => cell.replace(/^\|? /, ""));
    return { number: Number(number), priority, status, note };
  });
}

test("docs: docs/compatibility.md has every feature once, with a known word for what a node does", () => {
  const features = featuresIn(compatibility.join(""));
  const numbers = features.map(({ number }) => number).sort((one, other) => one - other);
  assert.deepEqual(
    numbers,
    Array.from({ length: featureCount }, (_, index) => index + 1),
  );
  for (const { number, priority, status, note } of features) {
    assert(["A", "B", "C"].includes(priority), `${number}: priority ${priority}`);
    assert(statusWords.includes(status), `${number}: ${status}`);
    // Who needs it has to learn how it differs, or what to do instead.
    assert(["yes", "by release"].includes(status) || note !== "", `${number} is ${status}: say more`);
  }
});

test("docs: docs/compatibility.md lists first whatever of A and B is missing", () => {
  const missing = ({ status }: Feature) => status === "partly" || status === "no";
  const first = featuresIn(sectionOf("Missing today"));
  assert.deepEqual(
    first.filter((feature) => !missing(feature) || feature.priority === "C"),
    [],
  );
  const others = featuresIn(compatibility.filter((part) => !part.startsWith("Missing today\n")).join(""));
  assert.deepEqual(
    others.filter((feature) => missing(feature) && feature.priority !== "C"),
    [],
  );
});

/** `path | methods | first release`, in the order of the newest release's table. */
function routeLines(): readonly string[] {
  const since = new Map<string, string>();
  let known: readonly string[] = [];
  for (const { id, capabilities } of releases) {
    const now = routesOf({
      capabilities,
      images: { ...capabilities, resumableSeconds: null },
      settings: { olderCacheRoutes: true },
      services: { imports: { methods: capabilities.importMethods } },
    }).map(({ method, path }) => `${method} /v2${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    for (const route of known) assert(now.includes(route), `${route} is gone at ${id}`);
    for (const route of now.filter((one) => !since.has(one))) since.set(route, id);
    known = now;
  }
  const groups = Map.groupBy(known, (route) => `${route.split(" ")[1]} ${since.get(route)}`);
  return [...groups].map(([key, routes]) => {
    const [path, id = ""] = key.split(" ");
    const release = id === oldestRelease.id ? "" : `${id.charAt(0).toUpperCase()}${id.slice(1)} `;
    return `| \`${path}\` | ${routes.map((route) => route.split(" ")[0]).join(", ")} | ${release}|`;
  });
}

test("docs: docs/compatibility.md names every path with its methods, and the release that brought them", () => {
  const documented = sectionOf("Every path").split("\n");
  assert.deepEqual(
    documented.filter((line) => line.startsWith("| `/v2/")),
    routeLines(),
  );
});
