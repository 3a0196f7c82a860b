import assert from "node:assert/strict";
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
  assert.deepEqual(read({}), { dataDirectory: "/var/lib/glance/images", filePermissions: null, readBytes: 65_536 });
});

test("file store config: permissions are octal digits written as a number", () => {
  assert.equal(read({ filesystem_store_file_perm: 640 }).filePermissions, 0o640);
});

test("file store config: what cannot work is refused and names its option", () => {
  for (const [option, value] of [
    ["filesystem_store_datadir", "relative"],
    ["filesystem_store_datadirs", ["/a:1"]],
    ["filesystem_store_file_perm", 680],
  ] as const)
    assert.throws(
      () => read({ [option]: value }),
      (error) => isServiceError(error, "config.invalid") && error.message.includes(`[glance_store] ${option}`),
    );
});
