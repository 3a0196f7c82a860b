import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isServiceError } from "../../core/errors.ts";
import type { GroupValues, OptionGroup } from "../../core/options.ts";
import { readFileStoreOptions } from "./config.ts";

const read = (values: Readonly<Record<string, unknown>>) =>
  readFileStoreOptions(
    {
      read<G extends OptionGroup>(group: G) {
        assert.equal(group.section, "glance_store");
        const defaults = Object.entries(group.options).map(([name, { default: value }]) => [name, value]);
        return Object.fromEntries([...defaults, ...Object.entries(values)]) as GroupValues<G>;
      },
    },
    "glance_store",
  );

test("file store config: the defaults are the reference's", () => {
  const defaults = { filePermissions: null, readBytes: 65_536, sparse: false, priority: 0 };
  assert.deepEqual(read({}), [{ dataDirectory: "/var/lib/glance/images", ...defaults }]);
});

test("file store config: permissions are octal digits written as a number", () => {
  assert.equal(read({ filesystem_store_file_perm: 640 })[0]?.filePermissions, 0o640);
});

test("file store config: several directories with their priorities take the place of the one", () => {
  const read2 = read({ filesystem_store_datadirs: ["/a", "/b/:200", " /c/d:3"] });
  assert.deepEqual(
    read2.map(({ dataDirectory, priority }) => [dataDirectory, priority]),
    [
      ["/a", 0],
      ["/b", 200],
      ["/c/d", 3],
    ],
  );
});

test("file store config: each directory has the metadata of its mount point", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-metadata-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "metadata.json");
  const entry = { id: "nfs", mountpoint: "/mnt/nfs", type: "nfs" };
  const options = {
    filesystem_store_metadata_file: file,
    filesystem_store_datadirs: ["/mnt/nfs", "/mnt/nfs2", "/mnt/nfs/a"],
  };
  for (const content of [entry, [{ id: "x", mountpoint: "/x" }, entry]]) {
    await writeFile(file, JSON.stringify(content));
    assert.deepEqual(
      read(options).map(({ metadata }) => metadata),
      [entry, undefined, entry],
    );
  }
  for (const text of ["{", "[]x", '{"id": "a"}', '[{"id": 1, "mountpoint": "/"}]', "7"]) {
    await writeFile(file, text);
    assert.throws(
      () => read(options),
      (error) => isServiceError(error, "config.invalid"),
      text,
    );
  }
});

test("file store config: what cannot work is refused and names its option", () => {
  for (const [option, value] of [
    ["filesystem_store_datadir", "relative"],
    ["filesystem_store_datadirs", ["a:1"]],
    ["filesystem_store_datadirs", ["/a:1", "/b:high"]],
    ["filesystem_store_datadirs", ["/a:1", "/a:2"]],
    ["filesystem_store_metadata_file", "/nowhere/metadata.json"],
    ["filesystem_store_file_perm", 680],
  ] as const)
    assert.throws(
      () => read({ [option]: value }),
      (error) => isServiceError(error, "config.invalid") && error.message.includes(`[glance_store] ${option}`),
    );
});
