// The command-line clients of OpenStack, set up for a service with flavor fakeauth.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import { memberToken } from "../../demo/traffic/actor.ts";
import { cleanEnvironment, runClient } from "./client-programs.ts";

/** One command of a client, as a project's user; resolves to its stdout. Throws with all it said where it exits with other than 0. */
export type Client = (project: string, ...args: readonly string[]) => Promise<string>;

export type Clients = { readonly openstack: Client; readonly glance: Client; stop(): void };

/** `origin`: the image service. `folder`: where the clients' configuration is written. `tokenOf`: absent, that of a member of the project. */
export async function prepareClients(
  origin: string,
  folder: string,
  projects: readonly string[],
  tokenOf: (project: string) => string = memberToken,
): Promise<Clients> {
  const identity = await startIdentityStub();
  const { port } = identity.address() as AddressInfo;
  const cloud = (project: string) => ({
    auth_type: "admin_token",
    auth: { token: tokenOf(project), endpoint: `http://127.0.0.1:${port}/v3` },
    image_endpoint_override: origin,
    identity_api_version: 3,
  });
  const file = join(folder, "clouds.yaml");
  await writeFile(file, stringify({ clouds: Object.fromEntries(projects.map((name) => [name, cloud(name)])) }));
  const env = cleanEnvironment({ OS_CLIENT_CONFIG_FILE: file, HOME: folder });
  const glanceService = ["--os-image-url", origin, "--os-auth-url", `http://127.0.0.1:${port}/v3`];
  return {
    openstack: (project, ...args) => runClient("openstack", ["--os-cloud", project, ...args], env),
    // With an identity service named, which it does not ask then, it leaves the schemas it saves alone: from Rocky on it would trip over
    // the attribute `stores` of its own copy.
    glance: (project, ...args) =>
      runClient("glance", [...glanceService, "--os-auth-token", tokenOf(project), ...args], env),
    stop: () => void identity.close(),
  };
}

/** Keystone as an ordinary user sees it: nobody may look up projects, so the client takes what it was given for an id. */
async function startIdentityStub(): Promise<Server> {
  const body = JSON.stringify({ error: { code: 403, title: "Forbidden", message: "Not for you." } });
  const server = createServer((_request, response) =>
    response.writeHead(403, { "Content-Type": "application/json", Connection: "close" }).end(body),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
