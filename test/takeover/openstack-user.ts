// Somebody who works with the openstack command, by password and catalog, while their cloud's Glance is taken over: makes an image of a file,
// looks at it, changes it, saves it, holds the bytes against the file, and deletes it; again and again.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment, runClient } from "../compat/client-programs.ts";
import type { KeystoneServer, KeystoneUser } from "../servers/keystone.ts";

export type OpenstackUser = {
  /** How many images were made, read back and deleted so far. */
  readonly rounds: number;
  /** Does `work` beside the commands, which go on from round to round until it has ended. Throws what either throws; a command's error has all it said. */
  beside<T>(work: () => Promise<T>): Promise<T>;
};

/** `folder`: for the user's files. The image service is looked for in the catalog. */
export function openstackUser(keystone: KeystoneServer, user: KeystoneUser, folder: string): OpenstackUser {
  mkdirSync(folder, { recursive: true });
  const env = cleanEnvironment({
    HOME: folder,
    OS_AUTH_URL: keystone.url,
    OS_USERNAME: user.name,
    OS_PASSWORD: user.password,
    OS_PROJECT_NAME: "red",
    OS_USER_DOMAIN_NAME: "Default",
    OS_PROJECT_DOMAIN_NAME: "Default",
    OS_REGION_NAME: "RegionOne",
    OS_IDENTITY_API_VERSION: "3",
  });
  const openstack = async (...args: readonly string[]) =>
    (await runClient("openstack", ["image", ...args], env)).trim();
  let rounds = 0;

  async function round(): Promise<void> {
    const [file, saved] = [join(folder, "disk.bin"), join(folder, "saved.bin")];
    writeFileSync(file, randomBytes(300_000));
    const formats = ["--disk-format", "raw", "--container-format", "bare"];
    const value = ["-f", "value", "-c"];
    const id = await openstack("create", ...formats, "--file", file, `round ${rounds}`, ...value, "id");
    await openstack("set", "--property", "os_distro=debian", "--tag", "checked", id);
    const shown = JSON.parse(await openstack("show", id, "-f", "json")) as { status: string; tags: readonly string[] };
    assert.deepEqual([shown.status, shown.tags], ["active", ["checked"]]);
    await openstack("save", "--file", saved, id);
    assert(readFileSync(saved).equals(readFileSync(file)), `image ${id} is saved byte by byte as it was made`);
    rmSync(saved);
    await openstack("delete", id);
    assert.equal((await openstack("list", ...value, "ID")).includes(id), false);
    rounds++;
  }

  return {
    get rounds() {
      return rounds;
    },
    async beside(work) {
      const state = { working: true };
      const worked = work().finally(() => {
        state.working = false;
      });
      // Looked at below, where a command may have failed before.
      worked.catch(() => undefined);
      while (state.working) await round();
      return worked;
    },
  };
}
