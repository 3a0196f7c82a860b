import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const module = new URL("test-run.ts", import.meta.url).href;

/** What `runTests` gives of files with these contents. */
async function failuresOf(
  context: TestContext,
  contents: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "perennial-test-run-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const files = Object.keys(contents).map((name) => join(folder, name));
  for (const [name, body] of Object.entries(contents))
    writeFileSync(join(folder, name), `import { test } from "node:test";\n${body}\n`);
  const script = join(folder, "run.mjs");
  writeFileSync(
    script,
    `import { runTests } from ${JSON.stringify(module)};
const options = { concurrency: 2, fileMinutesMax: 1, signal: new AbortController().signal };
process.send(await runTests(${JSON.stringify(files)}, options), () => process.disconnect());`,
  );
  // A run that knows of an outer one would do nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = fork(script, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  context.after(() => child.kill("SIGKILL"));
  const [failures] = await once(child, "message");
  return failures;
}

test("test run: nothing is told of what passes, may fail, or cannot run on this machine", async (context) => {
  const passes = `
    test("passes", () => {});
    test("may fail", { todo: true }, () => { throw new Error("not yet"); });
    test("cannot", { skip: "this machine has no such thing" }, () => {});`;
  assert.deepEqual(await failuresOf(context, { "one.test.mjs": passes }), []);
});

test("test run: each failure is told once, with its file and its error", async (context) => {
  const fails = `
    test("outer", async (context) => {
      await context.test("inner", () => { throw new Error("two words"); });
    });
    test("not run", { skip: "no time" }, () => {});`;
  const failures = await failuresOf(context, {
    "fails.test.mjs": fails,
    "dies.test.mjs": `console.error("my last words"); process.kill(process.pid, "SIGKILL"); test("never", () => {});`,
  });
  const told = (pattern: RegExp) => failures.filter((failure) => pattern.test(failure)).length;
  assert.equal(told(/^inner \(.*fails\.test\.mjs\)\nError: two words\n/), 1, failures.join("\n"));
  assert.equal(told(/^not run \(.*fails\.test\.mjs\)\nskipped, though this machine could have run it: no time$/), 1);
  assert.equal(told(/dies\.test\.mjs was ended by SIGKILL; the last it wrote:\nmy last words\n$/), 1);
  assert.equal(failures.length, 3, failures.join("\n"));
});

test("test run: a file that ends before its tests have is told, however it ends", async (context) => {
  const kill = `process.kill(process.pid, "SIGKILL")`;
  const failures = await failuresOf(context, {
    "in-order.test.mjs": `test("one", () => process.exit(0)); test("two", () => {});`,
    "todo.test.mjs": `test("may fail", { todo: true }, () => { throw new Error("not yet"); }); test("two", () => ${kill});`,
    "failed.test.mjs": `test("fails", () => { throw new Error("before"); }); test("two", () => ${kill});`,
  });
  for (const name of ["in-order", "todo", "failed"])
    assert(
      failures.some((failure) => new RegExp(`^\\S*${name}\\.test\\.mjs (has no test, or|was ended)`).test(failure)),
      `${name}: ${failures.join("\n")}`,
    );
});
