// A folder with a node's configuration, a unit file that starts the small node with it, and programs that stand in for systemctl,
// systemd-notify and journalctl, since systemd does not run where the tests do.
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const smallNode = fileURLToPath(new URL("small-node.ts", import.meta.url));
const standIn = fileURLToPath(new URL("stand-in-systemctl.sh", import.meta.url));

export type StandInUnit = {
  readonly unit: string;
  readonly config: string;
  readonly pidFile: string;
  readonly unitFile: string;
  readonly systemctl: string;
  readonly journalctl: string;
};

/** The node n1, configured for newton and not started, to listen at this address (host:port). */
export async function standInUnit(folder: string, address: string): Promise<StandInUnit> {
  await mkdir(folder, { recursive: true });
  const unit = "glance-api.service";
  const at = (name: string) => join(folder, name);
  const [host = "", port = ""] = address.split(":");
  const config = at("glance-api.conf");
  const pidFile = at("node.pid");
  await writeFile(
    config,
    `[DEFAULT]\nbind_host = ${host}\nbind_port = ${port}\n\n[perennial]\nnode_name = n1\npid_file = ${pidFile}\nrelease = newton\n\n[small]\n`,
  );
  const command = `${process.execPath} ${smallNode} --config-file ${config}`;
  await writeFile(at(unit), `[Unit]\nDescription=A small node\n\n[Service]\nNotifyAccess=all\nExecStart=${command}\n`);
  for (const name of ["systemctl", "systemd-notify"]) await copyFile(standIn, at(name));
  await writeFile(at("journalctl"), `#!/bin/sh\ntail -n 1 "${at(unit)}.d/log"\n`);
  for (const name of ["systemctl", "systemd-notify", "journalctl"]) await chmod(at(name), 0o755);
  return { unit, config, pidFile, unitFile: at(unit), systemctl: at("systemctl"), journalctl: at("journalctl") };
}
