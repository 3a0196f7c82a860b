// A private Keystone, Debian's own, on a free port with a folder and a SQLite database of its own; gone with the process that started it.
// Projects, users and tokens are made through its API, which takes milliseconds where the openstack command takes seconds.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { type Leashed, leash } from "./leash.ts";
import { startInOwnFolder } from "./own-folder.ts";

/** What a token is for. */
export type Scope = { readonly project: string } | { readonly system: "all" } | { readonly domain: string };

export type KeystoneUser = { readonly id: string; readonly name: string; readonly password: string };

export type KeystoneServer = {
  /** `http://127.0.0.1:PORT/v3`. */
  readonly url: string;
  readonly admin: KeystoneUser;
  /** One call of its API as admin; the answer's body. Throws where it is refused. */
  call<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /** Of the domain Default; its id. */
  createProject(name: string): Promise<string>;
  /** Roles are made where they do not exist; without a project the user has none anywhere. */
  createUser(options: { name: string; project?: string; roles?: readonly string[] }): Promise<KeystoneUser>;
  /** The user that services ask as: `glance` of project `service`, with the roles admin and service. */
  createServiceUser(): Promise<KeystoneUser>;
  grant(user: KeystoneUser, role: string, on: { readonly project: string } | { readonly system: true }): Promise<void>;
  /** A public, an internal and an admin endpoint of a new service. */
  createEndpoints(type: string, url: string): Promise<void>;
  /** A token by password; the scope's project by its id. */
  token(user: KeystoneUser, scope: Scope): Promise<string>;
  revoke(token: string): Promise<void>;
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL("./keystone-process.py", import.meta.url));
const python = "/usr/bin/python3";

/** Starts it (about 4 s). `tokenSeconds`: how long tokens are valid, default a day. Throws a line that says what to install where there is none. */
export async function startKeystone(options: { tokenSeconds?: number } = {}): Promise<KeystoneServer> {
  if (!existsSync("/usr/bin/keystone-manage"))
    throw new Error("Keystone is needed here: install the Debian package keystone");
  return startInOwnFolder("keystone", (folder) => startIn(folder, options.tokenSeconds ?? 86_400));
}

async function startIn(folder: string, tokenSeconds: number): Promise<KeystoneServer> {
  const config = join(folder, "keystone.conf");
  for (const keys of ["fernet", "credential"]) {
    await mkdir(join(folder, keys));
    // Two keys: the one in use, and the next.
    for (const name of ["0", "1"])
      await writeFile(join(folder, keys, name), `${randomBytes(32).toString("base64url")}=`);
  }
  await writeFile(config, configText(folder, tokenSeconds));
  const port = await freePort();
  const password = randomBytes(8).toString("hex");
  const server = leash([python, program, config, String(port), password], { folder });
  const url = `http://127.0.0.1:${port}/v3`;
  try {
    const answers = async () => server.exitCode !== undefined || (await fetch(url)).ok;
    await eventually("Keystone answers", answers, { msMax: 120_000, everyMs: 50 });
    if (server.exitCode !== undefined) throw new Error(`Keystone did not start:\n${server.output()}`);
    return await connect(url, password, server);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function configText(folder: string, tokenSeconds: number): string {
  return `[DEFAULT]
log_file = ${join(folder, "keystone.log")}
[database]
connection = sqlite:///${join(folder, "keystone.sqlite")}
sqlite_synchronous = false
[token]
provider = fernet
expiration = ${tokenSeconds}
[fernet_tokens]
key_repository = ${join(folder, "fernet")}
[fernet_receipts]
key_repository = ${join(folder, "fernet")}
[credential]
key_repository = ${join(folder, "credential")}
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
`;
}

type Identified = { readonly id: string };

async function connect(url: string, password: string, server: Leashed): Promise<KeystoneServer> {
  const admin = { id: "", name: "admin", password };
  let adminToken = await authenticate(url, admin, { system: "all" });

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response = await ask(method, path, body);
    if (response.status === 401) {
      // Tokens of a server may be short-lived for the sake of its tests.
      adminToken = await authenticate(url, admin, { system: "all" });
      response = await ask(method, path, body);
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}\n${server.output()}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  function ask(method: string, path: string, body: unknown): Promise<Response> {
    return fetch(`${url}${path}`, {
      method,
      headers: { "x-auth-token": adminToken, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async function roleId(name: string): Promise<string> {
    const { roles } = await call<{ roles: readonly Identified[] }>("GET", `/roles?name=${name}`);
    return roles[0]?.id ?? (await call<{ role: Identified }>("POST", "/roles", { role: { name } })).role.id;
  }

  const keystone: KeystoneServer = {
    url,
    admin,
    call,
    async createProject(name) {
      const project = { name, domain_id: "default" };
      return (await call<{ project: Identified }>("POST", "/projects", { project })).project.id;
    },
    async createUser({ name, project, roles = [] }) {
      const user = { name, password: randomBytes(8).toString("hex") };
      const made = await call<{ user: Identified }>("POST", "/users", { user: { ...user, domain_id: "default" } });
      const known = { ...user, id: made.user.id };
      for (const role of roles) if (project !== undefined) await keystone.grant(known, role, { project });
      return known;
    },
    async createServiceUser() {
      const project = await keystone.createProject("service");
      return keystone.createUser({ name: "glance", project, roles: ["admin", "service"] });
    },
    async grant(user, role, on) {
      const where = "project" in on ? `projects/${on.project}` : "system";
      await call("PUT", `/${where}/users/${user.id}/roles/${await roleId(role)}`);
    },
    async createEndpoints(type, target) {
      const service = { type, name: type };
      const { id } = (await call<{ service: Identified }>("POST", "/services", { service })).service;
      for (const face of ["public", "internal", "admin"])
        await call("POST", "/endpoints", {
          endpoint: { service_id: id, interface: face, url: target, region_id: "RegionOne" },
        });
    },
    token: (user, scope) => authenticate(url, user, scope),
    async revoke(token) {
      const headers = { "x-auth-token": adminToken, "x-subject-token": token };
      const response = await fetch(`${url}/auth/tokens`, { method: "DELETE", headers });
      if (!response.ok) throw new Error(`revoking: ${response.status} ${await response.text()}`);
    },
    stop: () => server.stop(),
  };
  return keystone;
}

async function authenticate(url: string, user: KeystoneUser, scope: Scope): Promise<string> {
  const response = await fetch(`${url}/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ["password"],
          password: { user: { name: user.name, domain: { id: "default" }, password: user.password } },
        },
        scope:
          "project" in scope
            ? { project: { id: scope.project } }
            : "system" in scope
              ? { system: { all: true } }
              : { domain: { id: scope.domain } },
      },
    }),
  });
  const token = response.headers.get("x-subject-token");
  const text = await response.text();
  if (response.status !== 201 || token === null) throw new Error(`authenticating: ${response.status} ${text}`);
  return token;
}
