// A cloud's Glance as an operator has it before a take-over: two nodes of Debian's glance-api, as processes or as units of systemd, on MariaDB, or on
// one node of a Galera cluster, behind HAProxy, callers by Keystone, under traffic; and the fleet file that takes it over.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import { checkImages } from "../../demo/check-images.ts";
import { sampleImages } from "../../demo/images.ts";
import { binary, type Finished, finish } from "../../demo/processes.ts";
import { adminToken, memberToken } from "../../demo/traffic/actor.ts";
import { loadSamples } from "../../demo/traffic/load.ts";
import { Recorder } from "../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../demo/traffic/traffic.ts";
import { StopStack } from "../../src/core/lifecycle.ts";
import { findProcess } from "../../src/core/process-table.ts";
import { openDatabase } from "../../src/db/connect.ts";
import type { ReleaseId } from "../../src/releases/catalogue.ts";
import type { JournalEvent } from "../../src/rollout/journal-event.ts";
import { eventually } from "../servers/eventually.ts";
import { startGalera } from "../servers/galera.ts";
import { type GlanceSetup, makeGlanceSite, setUpGlance } from "../servers/glance.ts";
import { startHaproxy } from "../servers/haproxy.ts";
import { type KeystoneUser, startKeystone } from "../servers/keystone.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { type GlanceHosts, placeNodes } from "./glance-hosts.ts";
import { type OpenstackUser, openstackUser } from "./openstack-user.ts";

type OnEvent = (event: JournalEvent, kill: (signal: NodeJS.Signals) => void) => void;

export type GlanceFleet = {
  readonly file: string;
  readonly folder: string;
  readonly nodes: readonly GlanceSetup[];
  readonly recorder: Recorder;
  /** A member of a project, with the openstack command; does nothing until told to. */
  readonly user: OpenstackUser;
  /** A URL of its database, as our tests write them. */
  readonly connection: string;
  /** glance-rollout with the fleet file; `onEvent` sees the journal of what prints it. */
  rollout(args: readonly string[], onEvent?: OnEvent): Promise<Finished>;
  /** What `alembic_version` shows, read from the database: the reference's command takes seconds for it. */
  heads(): Promise<readonly string[]>;
  /** Units by what systemd says of them at boot; none where the nodes are processes. */
  unitsAtBoot(): Promise<Readonly<Record<string, string>>>;
  /** The reference's own glance-manage. */
  manage(...args: readonly string[]): Promise<Finished>;
  /** Whether a node is one of ours, asked of itself. */
  isOurs(node: GlanceSetup): Promise<boolean>;
  /** Tells one of ours to finish, and waits for its end. */
  stopOurs(node: GlanceSetup): Promise<void>;
  /** Ends the traffic, and holds every image against what was uploaded. Nothing may have failed. */
  arrive(): Promise<void>;
  stop(): Promise<void>;
};

const names = ["n1", "n2"];
/** What a step may take is not what is rehearsed here, and a busy machine takes long. */
const patienceSeconds = 900;
/** Python takes most of what this fleet costs: enough that each step has requests beside it, and no more. */
const requestsPerSecond = 3;

export type GlanceDatabase = "MariaDB" | "a Galera cluster";

type FleetOptions = {
  /** Where glance-rollout run leads when the take-over is over. */
  readonly target: ReleaseId;
  readonly seed: number;
  readonly database?: GlanceDatabase;
  readonly hosts?: GlanceHosts;
};

export async function startGlanceFleet(options: FleetOptions): Promise<GlanceFleet> {
  const stack = new StopStack();
  try {
    return Object.assign(await build(options, stack), { stop: () => stack.stop() });
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** Clients of a cluster use one of its nodes, as operators have it: two that write the same rows would refuse each other's commits. */
const startDatabase: Readonly<Record<GlanceDatabase, (stack: StopStack) => Promise<string>>> = {
  async MariaDB(stack) {
    const mariadb = await startMariadb();
    stack.defer(() => mariadb.stop());
    return mariadb.createDatabase();
  },
  async "a Galera cluster"(stack) {
    const name = "glance";
    // None is crashed here, and a busy machine lets one be silent for long.
    const cluster = await startGalera(3, { suspectSeconds: 60 });
    stack.defer(() => cluster.stop());
    await cluster.createDatabase(name);
    return cluster.nodes[0]?.url(name) ?? assert.fail("there are nodes");
  },
};

async function build(
  { target, seed, database = "MariaDB", hosts = "processes" }: FleetOptions,
  stack: StopStack,
): Promise<Omit<GlanceFleet, "stop">> {
  const connection = await startDatabase[database](stack);
  const keystone = await startKeystone();
  stack.defer(() => keystone.stop());
  const site = makeGlanceSite();
  stack.defer(() => site.stop());
  const service = await keystone.createServiceUser();
  const nodes: GlanceSetup[] = [];
  for (const name of names) {
    const sections = {
      keystone_authtoken: {
        auth_url: keystone.url.replace("/v3", ""),
        www_authenticate_uri: keystone.url,
        auth_type: "password",
        username: service.name,
        password: service.password,
        project_name: "service",
        user_domain_name: "Default",
        project_domain_name: "Default",
      },
      // Glance reads none of it.
      perennial: { node_name: name, heartbeat_seconds: 1, drain_settle_seconds: 1 },
    };
    nodes.push(await setUpGlance(site, { name, database: connection, flavor: "keystone", sections }));
  }
  const config = nodes[0]?.config ?? assert.fail("there is a node");
  const manage = (...args: readonly string[]) => finish(["/usr/bin/glance-manage", "--config-file", config, ...args]);
  const made = await manage("db", "sync");
  assert.equal(made.code, 0, made.stderr);
  const placed = await placeNodes[hosts](nodes, stack);
  const servers = nodes.map(({ name, port }) => ({ name, address: `127.0.0.1:${port}` }));
  const haproxy = await startHaproxy({ servers, checkMs: 1_000 });
  stack.defer(() => haproxy.stop());
  await eventually("both are in rotation", async () => {
    for (let turn = 0; turn < 4; turn++) if (!(await fetch(`${haproxy.url}/versions`)).ok) return false;
    return true;
  });

  const { tokens, projects, admin, member } = await makeCallers(keystone);
  await keystone.createEndpoints("image", haproxy.url);
  const user = openstackUser(keystone, member, join(site.folder, "user"));
  const recorder = new Recorder();
  const origin = haproxy.url;
  const samples = await loadSamples(
    origin,
    recorder,
    sampleImages({ seed, count: 9, projects }).slice(3),
    undefined,
    tokens,
  );
  const actors = makeActors({ origin, recorder, samples, projects, seed, count: 4, tokens });
  const traffic = startTraffic({ actors, requestsPerSecond });
  stack.defer(() => traffic.stop());

  const file = join(site.folder, "fleet.yaml");
  writeFileSync(
    file,
    stringify({
      name: "cloud",
      target,
      journal: join(site.folder, "journal"),
      database: { connection },
      backup: { directory: join(site.folder, "backup") },
      glance: { release: "zed", process: "python3 \\S*glance-api --config-file {config}" },
      nodes: placed.nodes,
      balancer: { driver: "haproxy", socket: haproxy.socket, backend: haproxy.backend },
      start: { deadline_seconds: patienceSeconds },
      health: { deadline_seconds: patienceSeconds },
      gates: { synthetic: true, token: admin, deadline_seconds: patienceSeconds },
    }),
  );
  const rollout: GlanceFleet["rollout"] = (args, onEvent) =>
    runRollout([...args, "--fleet", file], { cwd: site.folder, env: placed.env }, onEvent);
  return {
    file,
    folder: site.folder,
    nodes,
    recorder,
    user,
    connection,
    rollout,
    unitsAtBoot: placed.unitsAtBoot,
    manage,
    async heads() {
      const database = await openDatabase(connection, { poolSizeMax: 1 });
      try {
        const rows = await database.query<{ version_num: string }>("SELECT version_num FROM alembic_version");
        return rows.map((row) => row.version_num).sort();
      } finally {
        await database.close();
      }
    },
    async isOurs(node) {
      // A page of ours alone.
      return (await fetch(`${node.url}/openapi.json`)).status === 200;
    },
    async stopOurs({ name, config: path }) {
      const pid = Number(readFileSync(join(path, "..", "glance-api.pid"), "utf8"));
      process.kill(pid, "SIGTERM");
      await eventually(`${name} is gone`, () => findProcess(pid) === undefined, { msMax: 600_000 });
    },
    async arrive() {
      await traffic.stop();
      const { checked, wrong } = await checkImages({ origin, recorder, samples, actors, tokens });
      for (const actor of actors) actor.client.close();
      assert.deepEqual(wrong, []);
      assert(checked >= samples.length);
      assert.deepEqual(recorder.failures, []);
      assert.equal(recorder.failed, 0);
    },
  };
}

/** Names of the nodes that are ours. */
export async function oursAmong(fleet: GlanceFleet): Promise<readonly string[]> {
  const found: string[] = [];
  for (const node of fleet.nodes) if (await fleet.isOurs(node)) found.push(node.name);
  return found;
}

export function assertOk({ code, stdout, stderr }: Finished): void {
  assert.equal(code, 0, `${stdout}\n${stderr}`);
}

async function makeCallers(keystone: Awaited<ReturnType<typeof startKeystone>>) {
  const tokens = new Map<string, string>();
  const projects: string[] = [];
  const members: KeystoneUser[] = [];
  for (const color of ["red", "green", "blue"]) {
    const project = await keystone.createProject(color);
    const user = await keystone.createUser({ name: color, project, roles: ["member", "reader"] });
    tokens.set(memberToken(project), await keystone.token(user, { project }));
    projects.push(project);
    members.push(user);
  }
  const [member = assert.fail("there are projects")] = members;
  const project = await keystone.createProject("operations");
  const operator = await keystone.createUser({ name: "operator", project, roles: ["admin", "member", "reader"] });
  const admin = await keystone.token(operator, { project });
  tokens.set(adminToken, admin);
  return { tokens, projects, admin, member };
}

async function runRollout(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  onEvent?: OnEvent,
): Promise<Finished> {
  const [program, script] = binary("glance-rollout");
  const child = spawn(program, [script, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
  const out = { stdout: "", stderr: "" };
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    out.stderr += text;
  });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    out.stdout += `${line}\n`;
    onEvent?.(JSON.parse(line) as JournalEvent, (signal) => void child.kill(signal));
  });
  const [[code]] = await Promise.all([once(child, "exit"), once(lines, "close")]);
  return { code: (code as number | null) ?? -1, ...out };
}
