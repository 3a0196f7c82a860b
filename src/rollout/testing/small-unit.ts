// A folder with a node's configuration, and a unit of a real systemd that starts the small node with it.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Systemd } from "../../../test/servers/systemd.ts";

const smallNode = fileURLToPath(new URL("small-node.ts", import.meta.url));

export type SmallUnit = {
  readonly unit: string;
  readonly config: string;
  readonly pidFile: string;
  /** What its file says; `systemd.unit(unit, ...)` changes it. */
  readonly unitText: string;
};

/** The node n1, configured for newton and not started, to listen at this address (host:port). `unit`: its name, which no other one of this systemd has. */
export async function smallUnit(systemd: Systemd, folder: string, address: string, unit: string): Promise<SmallUnit> {
  await mkdir(folder, { recursive: true });
  const [host = "", port = ""] = address.split(":");
  const config = join(folder, "glance-api.conf");
  const pidFile = join(folder, "node.pid");
  await writeFile(
    config,
    `[DEFAULT]\nbind_host = ${host}\nbind_port = ${port}\n\n[perennial]\nnode_name = n1\npid_file = ${pidFile}\nrelease = newton\n\n[small]\n`,
  );
  const unitText = `[Unit]
Description=A small node

[Service]
Type=notify
NotifyAccess=all
KillMode=mixed
TimeoutStopSec=infinity
ExecStop=-/bin/sh -c 'kill -TERM \${MAINPID} && exec tail --pid=\${MAINPID} -s 0.05 -f /dev/null'
ExecStart=${process.execPath} ${smallNode} --config-file ${config}

[Install]
WantedBy=default.target
`;
  await systemd.unit(unit, unitText);
  return { unit, config, pidFile, unitText };
}
