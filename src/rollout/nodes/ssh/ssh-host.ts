// A host that is reached by OpenSSH's own client, with the operator's keys and configuration. One connection is opened and shared by all
// commands, for a minute after the last one. What runs there is a shell script with arguments; nothing of ours is installed for it.
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { type CommandResult, lastLine, runCommand } from "../../run-command.ts";
import type { HostShell } from "../host-shell.ts";
import type { SshNodeAt } from "../node-schemas.ts";

const remoteMsMax = 20_000;
/** OpenSSH's own exit code for what is not the remote command's failure. */
const sshFailed = 255;

export type SshHost = HostShell;

export function sshHost(at: Pick<SshNodeAt, "name" | "host" | "sshOptions" | "sudo">): SshHost {
  const become = at.sudo ? "sudo -n " : "";
  return {
    async run(script, args, { what, signal, msMax = remoteMsMax, input, answers = [0] }) {
      const remote = `${become}sh -c ${[script, "glance-rollout", ...args].map(quote).join(" ")}`;
      // To ssh the first of two values counts: the operator's go before ours.
      const words = ["ssh", ...at.sshOptions, ...options(), "--", at.host, remote];
      // Every code is looked at here: the words, with the whole script, are not for people.
      const all = Array.from({ length: 256 }, (_, code) => code);
      let result: CommandResult;
      try {
        const about = { what: `${what}: ssh ${at.host}`, msMax, signal, answers: all };
        result = await runCommand(words, { ...about, shownAs: "ssh", ...(input !== undefined && { input }) });
      } catch (error) {
        throw unreachable(at, what, errorText(error), error);
      }
      if (result.code === sshFailed) throw unreachable(at, what, lastLine(result.stderr) || "it said nothing");
      if (answers.includes(result.code)) return result;
      const said = lastLine(result.stderr) || lastLine(result.stdout) || "it said nothing";
      const message = `${what}: on ${at.host} it ended with ${result.code}: ${said}`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { node: at.name, host: at.host } });
    },
  };
}

function unreachable(at: { name: string; host: string }, what: string, why: string, cause?: unknown): ServiceError {
  const message = `${what}: ${at.host} cannot be reached by ssh (${why}); see that this works: ssh -o BatchMode=yes ${at.host} true`;
  return new ServiceError("rollout.driver_failed", message, {
    facts: { node: at.name, host: at.host },
    ...(cause !== undefined && { cause }),
  });
}

function options(): readonly string[] {
  return [
    // Nobody is there to answer questions.
    "BatchMode=yes",
    "ConnectTimeout=10",
    // A host that vanished is noticed, and does not hold a rollout up for as long as TCP would.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    "ControlMaster=auto",
    `ControlPath=${join(socketFolder(), "%C")}`,
    "ControlPersist=60",
  ].flatMap((option) => ["-o", option]);
}

/** What the address of a UNIX socket holds, and what ssh puts behind the folder: a name of 40 characters, and 17 while it is made. */
const socketPathCharsMax = 107;
const socketNameChars = "/".length + 40 + 17;

/** The first of `parents` in which ssh's sockets are not too deep for the address of one; the last one where none is. */
export function socketFolderIn(parents: readonly string[]): string {
  const folders = parents.map((parent) => join(parent, `glance-rollout-${process.getuid?.() ?? 0}`));
  const fitting = folders.find((folder) => folder.length + socketNameChars <= socketPathCharsMax);
  return fitting ?? folders.at(-1) ?? "";
}

/** Whoever may write there could speak through our connections: it has to be ours alone. */
function socketFolder(): string {
  const { XDG_RUNTIME_DIR: own } = process.env;
  const folder = socketFolderIn([...(own === undefined ? [] : [own]), tmpdir(), "/tmp"]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid } = statSync(folder);
  if (uid !== process.getuid?.()) {
    const message = `${folder}, for the sockets of ssh, belongs to another user; remove it, or set XDG_RUNTIME_DIR`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { folder } });
  }
  chmodSync(folder, 0o700);
  return folder;
}

/** As one word of the remote shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
