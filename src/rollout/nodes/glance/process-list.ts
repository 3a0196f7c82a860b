// The processes of a host and the connections of some of them, read off /proc by a shell: what is known of software that registers nowhere.
import type { HostShell } from "../host-shell.ts";

export type HostProcess = {
  readonly pid: number;
  readonly parent: number;
  /** Tells it from any other process of this host that had or will have its number. */
  readonly id: string;
  readonly aliveMs: number;
  /** Its command line, words separated by blanks. */
  readonly line: string;
};

/** Ticks of /proc a second: fixed in the kernel's interface. */
const ticksPerSecond = 100;
const marker = "--- glance-rollout ---";

// One process each reads all of /proc. Who ends meanwhile is missing, which is as it should be.
const listScript = `cat /proc/sys/kernel/random/boot_id /proc/uptime
echo '${marker}'; cat /proc/[0-9]*/stat 2>/dev/null
echo '${marker}'; grep -az '' /proc/[0-9]*/cmdline 2>/dev/null; true`;

/** Those whose command line matches. Throws rollout.driver_failed. */
export async function findProcesses(
  shell: HostShell,
  pattern: RegExp,
  options: { what: string; signal: AbortSignal },
): Promise<readonly HostProcess[]> {
  const { stdout } = await shell.run(listScript, [], options);
  return parseProcesses(stdout).filter(({ line }) => pattern.test(line));
}

/** Those that have not ended; one that was not collected yet is none. */
export function parseProcesses(text: string): readonly HostProcess[] {
  const [head = "", stats = "", words = ""] = text.split(`${marker}\n`);
  const [boot = "", uptime = "0"] = head.split("\n");
  const upMs = Number.parseFloat(uptime) * 1000;
  const lines = new Map<number, string[]>();
  // Each word of a command line comes with its file's name before it.
  for (const word of words.split("\0")) {
    const [, pid, value] = /^\n?\/proc\/(\d+)\/cmdline:(.*)$/s.exec(word) ?? [];
    if (pid !== undefined) lines.set(Number(pid), [...(lines.get(Number(pid)) ?? []), value ?? ""]);
  }
  return [...stats.matchAll(/^(\d+) \(.*\) (\S) (\d+)((?: -?\d+)+)$/gm)].flatMap((match): HostProcess[] => {
    const [, pid, state, parent, rest = ""] = match;
    const line = lines.get(Number(pid))?.join(" ");
    if (line === undefined || state === "Z" || state === "X") return [];
    const ticks = Number(rest.trim().split(" ")[17]);
    const aliveMs = Math.max(0, upMs - (ticks * 1000) / ticksPerSecond);
    return [{ pid: Number(pid), parent: Number(parent), id: `${pid}@${ticks}/${boot}`, aliveMs, line }];
  });
}

/** Those that no other one of them started. */
export function firstOnes(processes: readonly HostProcess[]): readonly HostProcess[] {
  const pids = new Set(processes.map(({ pid }) => pid));
  return processes.filter(({ parent }) => !pids.has(parent));
}

const socketScript = `for pid in "$@"; do
  for fd in /proc/$pid/fd/*; do readlink "$fd"; done 2>/dev/null | grep '^socket:'
  cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null
done; true`;

/** Their end of each TCP connection they hold, as `address:port`. Throws rollout.driver_failed. */
export async function connectionsOf(
  shell: HostShell,
  processes: readonly HostProcess[],
  options: { what: string; signal: AbortSignal },
): Promise<readonly string[]> {
  if (processes.length === 0) return [];
  const pids = processes.map(({ pid }) => String(pid));
  return parseConnections((await shell.run(socketScript, pids, options)).stdout);
}

const established = "01";

export function parseConnections(text: string): readonly string[] {
  const inodes = new Set([...text.matchAll(/^socket:\[(\d+)\]$/gm)].map((match) => match[1]));
  const ends = text.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = "", , state] = fields;
    return state === established && inodes.has(fields[9]) ? [addressOf(local)] : [];
  });
  return [...new Set(ends)];
}

/** The kernel writes each 32 bits of an address as a number of this machine, which has its low byte first. */
function addressOf(hex: string): string {
  const [address = "", port = ""] = hex.split(":");
  const bytes = (address.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed());
  const number = Number.parseInt(port, 16);
  const last = bytes.slice(-4).map((byte) => Number.parseInt(byte, 16));
  const isMapped = bytes.length === 16 && bytes.slice(0, 12).join("") === `${"00".repeat(10)}FFFF`;
  if (bytes.length === 4 || isMapped) return `${last.join(".")}:${number}`;
  const groups = bytes.join("").match(/.{4}/g) ?? [];
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}:${number}`;
}
