// The API of metadata definitions beside the reference's own, at the release that Debian's package is of: the same calls on the same
// database, one after the other, have the same answers, or a better one where the reference fails.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Site } from "../node/node-process.ts";
import { type Call, calls } from "./metadef-calls.ts";

const script = fileURLToPath(new URL("./reference-metadef-api.py", import.meta.url));
/** With files that come with the reference, and one namespace that a file without an owner or a visibility brought. */
const definitions = "/etc/glance/metadefs";

type Answered = { readonly status: number; readonly text: string };

/** Times are masked, and of an error only its status is compared. */
function comparable({ status, text }: Answered): unknown {
  if (status >= 400 || text === "") return { status };
  const masked = text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "TIME");
  return { status, body: sorted(JSON.parse(masked)) };
}

/** Associations come in no order, and without times in the answer that made them; what an object does not have is missing or empty. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const byText = (list: unknown) =>
    Array.isArray(list)
      ? list
          .toSorted((one, other) => (one.name < other.name ? -1 : 1))
          .map(({ created_at, updated_at, ...association }) => association)
      : list;
  const says = ([key, member]: [string, unknown]) =>
    !(["required", "properties"].includes(key) && Object.keys(Object(member)).length === 0);
  return Object.fromEntries(
    Object.entries(value)
      .filter(says)
      .map(([key, member]) => [key, sorted(key === "resource_type_associations" ? byText(member) : member)]),
  );
}

test("reference: the API of metadata definitions answers as its own, call by call", { timeout: 900_000 }, async (t) => {
  const site = new Site();
  await site.createDatabase("zed");
  await site.manage("db", "load_metadefs", "--path", definitions);
  const copy = join(site.folder, "theirs.sqlite");
  copyFileSync(join(site.folder, "glance.sqlite"), copy);
  const config = join(site.folder, "theirs.conf");
  writeFileSync(
    config,
    `[database]\nconnection = sqlite:///${copy}\n[oslo_policy]\npolicy_file = ${site.folder}/none\n`,
  );
  const theirs: readonly Answered[] = JSON.parse(
    execFileSync("/usr/bin/python3", [script, config], {
      input: JSON.stringify(calls),
      timeout: 900_000,
      maxBuffer: 64 << 20,
      stdio: ["pipe", "pipe", "ignore"],
    }).toString(),
  );
  const node = await site.start("ours", {
    paste_deploy: { flavor: "fakeauth" },
    perennial: { release: "zed", node_name: "ours" },
  });
  const failures: string[] = [];
  for (const [index, call] of calls.entries()) {
    const expected = theirs[index] ?? assert.fail("as many answers as calls");
    const mine = await ask(`http://127.0.0.1:${node.port}/v2`, call);
    const said = `${call.token} ${call.method} ${call.path} ${JSON.stringify(call.body)?.slice(0, 200) ?? ""}`;
    try {
      if (call.better !== undefined) {
        assert.notEqual(expected.status, call.better, "the reference answers as well");
        assert.equal(mine.status, call.better);
      } else assert.deepEqual(comparable(mine), comparable(expected));
    } catch (error) {
      failures.push(`${said}\n  ours ${JSON.stringify(mine)}\n  theirs ${JSON.stringify(expected)}\n${error}`);
    }
  }
  assert.equal(failures.length, 0, failures.join("\n"));
  t.diagnostic(`${calls.length} calls compared`);
});

async function ask(base: string, { method, path, token, body, headers }: Call): Promise<Answered> {
  const response = await fetch(base + path, {
    method,
    headers: { "x-auth-token": token, accept: "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}
