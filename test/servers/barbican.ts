// A private Barbican, Debian's own, on a free port with a folder and a SQLite database of its own, whose tokens a Keystone of the test knows; gone with
// the process that started it.
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import type { KeystoneServer, KeystoneUser } from "./keystone.ts";
import { leash } from "./leash.ts";
import { startInOwnFolder } from "./own-folder.ts";

export type BarbicanServer = {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The id of a new secret of this type, such as `certificate`, that belongs to the token's project. */
  store(token: string, secret: { readonly type: string; readonly payload: Buffer }): Promise<string>;
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL("./barbican-process.py", import.meta.url));

/** Starts it (about 4 s). `service`: whom it asks Keystone as. */
export function startBarbican(keystone: KeystoneServer, service: KeystoneUser): Promise<BarbicanServer> {
  return startInOwnFolder("barbican", (folder) => startIn(folder, keystone, service));
}

async function startIn(folder: string, keystone: KeystoneServer, service: KeystoneUser): Promise<BarbicanServer> {
  await mkdir(join(folder, ".barbican"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(join(folder, ".barbican", "barbican.conf"), configText({ folder, url, keystone, service }));
  const server = leash(["/usr/bin/env", `HOME=${folder}`, "/usr/bin/python3", program, String(port)], { folder });
  try {
    const answers = async () => server.exitCode !== undefined || (await fetch(url)).status === 300;
    await eventually("Barbican answers", answers, { msMax: 120_000, everyMs: 50 });
    if (server.exitCode !== undefined) throw new Error(`Barbican did not start:\n${server.output()}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url,
    async store(token, { type, payload }) {
      const response = await fetch(`${url}/v1/secrets`, {
        method: "POST",
        headers: { "x-auth-token": token, "content-type": "application/json" },
        body: JSON.stringify({
          secret_type: type,
          payload: payload.toString("base64"),
          payload_content_type: "application/octet-stream",
          payload_content_encoding: "base64",
        }),
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`Barbican: ${response.status} ${text}\n${server.output()}`);
      return (JSON.parse(text) as { secret_ref: string }).secret_ref.split("/").at(-1) ?? "";
    },
    stop: () => server.stop(),
  };
}

type Setting = {
  readonly folder: string;
  readonly url: string;
  readonly keystone: KeystoneServer;
  readonly service: KeystoneUser;
};

function configText({ folder, url, keystone, service }: Setting): string {
  return `[DEFAULT]
host_href = ${url}
log_file = ${join(folder, "barbican.log")}
sql_connection = sqlite:///${join(folder, "barbican.sqlite")}
db_auto_create = true
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = ${randomBytes(32).toString("base64")}
[keystone_authtoken]
auth_type = password
auth_url = ${keystone.url}
www_authenticate_uri = ${keystone.url}
username = ${service.name}
password = ${service.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
`;
}
