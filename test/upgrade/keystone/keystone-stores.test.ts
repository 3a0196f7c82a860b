// A fleet as clouds have them: callers by Keystone, two stores, and images that are imported. It is upgraded on MariaDB behind HAProxy while clients
// upload, download, stage, import and copy, and nothing of what they do fails.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { adminToken, memberToken } from "../../../demo/traffic/actor.ts";
import { newestRelease, type ReleaseId } from "../../../src/releases/catalogue.ts";
import { type KeystoneServer, startKeystone } from "../../servers/keystone.ts";
import { TravellingFleet } from "../pairs/travelling-fleet.ts";
import { isFull } from "../scope.ts";
import { startImportTraffic, storeIds } from "./import-traffic.ts";

/** Images are copied between stores from Ussuri on, so every kind of traffic is there all the way. */
const origins: readonly ReleaseId[] = isFull ? ["ussuri", "yoga", "zed", "2024.1"] : ["zed"];

let folder = "";
let keystone: KeystoneServer;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-cloud-"));
  keystone = await startKeystone();
});
after(async () => {
  await keystone?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Callers = {
  readonly projects: readonly string[];
  readonly tokens: ReadonlyMap<string, string>;
  readonly admin: string;
};

/** Projects of their ids, and for each caller of the traffic a token of Keystone's. */
async function makeCallers(name: string): Promise<Callers> {
  const tokens = new Map<string, string>();
  const projects: string[] = [];
  for (const color of ["red", "green", "blue"]) {
    const project = await keystone.createProject(`${color}-${name}`);
    const user = await keystone.createUser({ name: `${color}-${name}`, project, roles: ["member", "reader"] });
    tokens.set(memberToken(project), await keystone.token(user, { project }));
    projects.push(project);
  }
  const project = await keystone.createProject(`operations-${name}`);
  const operator = await keystone.createUser({
    name: `operator-${name}`,
    project,
    roles: ["admin", "member", "reader"],
  });
  const admin = await keystone.token(operator, { project });
  tokens.set(adminToken, admin);
  return { projects, tokens, admin };
}

function settings(place: string, service: { readonly name: string; readonly password: string }): string {
  return `
[DEFAULT]
enabled_backends = ${storeIds.map((id) => `${id}:file`).join(",")}
node_staging_uri = file://${place}/staging
[glance_store]
default_backend = ${storeIds[0]}
${storeIds.map((id) => `[${id}]\nfilesystem_store_datadir = ${place}/${id}`).join("\n")}
[os_glance_staging_store]
filesystem_store_datadir = ${place}/staging
[import_filtering_opts]
allowed_hosts = [127.0.0.1]
allowed_ports = []
[paste_deploy]
flavor = keystone
[keystone_authtoken]
auth_url = ${keystone.url.replace("/v3", "")}
www_authenticate_uri = ${keystone.url}
auth_type = password
username = ${service.name}
password = ${service.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
`;
}

let service: Promise<{ readonly name: string; readonly password: string }> | undefined;

for (const from of origins)
  test(`a fleet with Keystone, two stores and imports goes from ${from} to ${newestRelease.id} and no client notices`, {
    timeout: 900_000,
  }, async (t) => {
    service ??= keystone.createServiceUser();
    const place = join(folder, from);
    for (const name of [...storeIds, "staging"]) await mkdir(join(place, name), { recursive: true });
    const { projects, tokens, admin } = await makeCallers(from);
    const imports = await startImportTraffic();
    try {
      const special = {
        fleet: { more: settings(place, await service), probeToken: admin, balancer: "haproxy" },
        projects,
        tokens,
        features: { multiStore: true, cache: false, imageImport: true },
        mix: imports.mix,
        whileMixed: () => imports.eachOnce(),
      } as const;
      const { requests } = await TravellingFleet.run(
        { database: "mariadb", from, seed: 31, special },
        async (fleet) => {
          await imports.eachOnce();
          await fleet.rollTo(newestRelease.id);
          await imports.eachOnce();
        },
      );
      t.diagnostic(`${requests} requests, none failed`);
      const staged = (await readdir(join(place, "staging"))).filter((name) => !name.startsWith("."));
      assert.deepEqual(staged, [], "nothing is left in staging");
    } finally {
      imports.stop();
    }
  });
