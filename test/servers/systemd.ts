// A real systemd with a journal of its own, for the units of a test: its user manager, in a control group, a mount namespace and, if asked, a
// network namespace apart. All of it, with every process of its units, goes when it is stopped or its starter is gone.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { finish } from "../../demo/processes.ts";
import { eventually } from "./eventually.ts";
import { leash } from "./leash.ts";

export type Systemd = {
  /** `systemctl` and `journalctl` as words, from any shell of this machine. */
  readonly systemctl: readonly string[];
  readonly journalctl: readonly string[];
  /** Writes a unit's file, or writes it anew, and has it read. Returns its path. */
  unit(name: string, text: string): Promise<string>;
  stop(): Promise<void>;
};

/**
 * The control group is made in a mount of ours alone. Its own `cgroup.kill` ends whatever is in it, even what a unit left behind, at TERM as
 * when systemd itself is gone. To programs a systemd runs where /run/systemd/system is.
 */
const outer = `
folder=$1; inner=$2
mount --make-rprivate / && mkdir "$folder/groups" && mount -t cgroup2 none "$folder/groups" || exit
group=$folder/groups/perennial-$$
mkdir "$group" || exit
trap 'echo 1 > "$group/cgroup.kill"' TERM
sh -c 'echo $$ > "$3/cgroup.procs" && exec unshare --mount --cgroup sh -c "$2" inner "$1"' enter "$folder" "$inner" "$group" &
wait $!; code=$?
echo 1 > "$group/cgroup.kill"
wait
until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.05; done
exit $code`;
const inner = `
folder=$1
umount -R -l /sys/fs/cgroup; mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
  mount -t tmpfs tmpfs /run/systemd && mount -t tmpfs tmpfs /run/log || exit
mkdir -p /run/systemd/system /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nRateLimitBurst=0\\nForwardToSyslog=no\\n' > /run/systemd/journald.conf.d/test.conf
/lib/systemd/systemd-journald &
until [ -S /run/systemd/journal/stdout ]; do sleep 0.02; done
echo $$ > "$folder/pid"
export XDG_RUNTIME_DIR="$folder/run" XDG_CONFIG_HOME="$folder/config" SYSTEMD_UNIT_PATH="$folder/config/systemd/user"
exec /lib/systemd/systemd --user --unit=basic.target --log-target=console`;

/** Why none can be run here; null where it can. */
export function whyNoSystemd(): string | null {
  if (userInfo().uid !== 0) return "this machine lets only root make mount namespaces and control groups";
  const tried = spawnSync("unshare", [
    "--mount",
    "--cgroup",
    "sh",
    "-c",
    "mount -t cgroup2 none /mnt && mkdir /mnt/perennial-$$ && rmdir /mnt/perennial-$$",
  ]);
  if (tried.status !== 0) return "this machine makes no control groups";
  return spawnSync("test", ["-x", "/lib/systemd/systemd"]).status === 0 ? null : "this machine has no systemd";
}

/** `network`: a process whose network is that of the units; absent: ours. */
export async function startSystemd(options: { readonly network?: number } = {}): Promise<Systemd> {
  // Paths of sockets are short.
  const folder = await mkdtemp(join(tmpdir(), "psd-"));
  const units = join(folder, "config/systemd/user");
  mkdirSync(units, { recursive: true });
  mkdirSync(join(folder, "run"), { mode: 0o700 });
  // What every unit needs; those of this machine are none of the test's.
  await writeFile(join(units, "basic.target"), "[Unit]\nDescription=Basic System\n");
  const network = options.network === undefined ? [] : ["nsenter", `--net=/proc/${options.network}/ns/net`];
  const server = leash([...network, "unshare", "--mount", "sh", "-c", outer, "outer", folder, inner], {
    folder,
    signal: "TERM",
  });
  try {
    const within = await eventually(
      "systemd runs",
      async () => {
        if (server.exitCode !== undefined) throw new Error(`systemd ended: ${server.output()}`);
        const pid = Number(await readFile(join(folder, "pid"), "utf8"));
        // Without, systemctl sees a machine that systemd did not start, and does what it can without asking it.
        const enter = ["nsenter", `--mount=/proc/${pid}/ns/mnt`, "env", `XDG_RUNTIME_DIR=${join(folder, "run")}`];
        const { stdout } = await finish([...enter, "systemctl", "--user", "is-system-running"]);
        return stdout === "running\n" && enter;
      },
      { msMax: 60_000 },
    );
    const systemctl = [...within, "systemctl", "--user"];
    return {
      systemctl,
      journalctl: [...within, "journalctl"],
      async unit(name, text) {
        const file = join(units, name);
        await writeFile(file, text);
        const reloaded = await finish([...systemctl, "daemon-reload"]);
        if (reloaded.code !== 0) throw new Error(`daemon-reload failed: ${reloaded.stderr}`);
        return file;
      },
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
