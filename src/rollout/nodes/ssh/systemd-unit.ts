// One systemd unit on a host: how it stands, in one round trip together with the node's configuration, and how it is started and ended.
// The words `systemctl` and `journalctl` are the operator's, so that others may stand in for them.
import { constants } from "node:os";
import { ServiceError } from "../../../core/errors.ts";
import { type HandOverNote, handOverNotePath, parseHandOverNote } from "../../../core/hand-over-note.ts";
import { catches } from "../../../core/process-table.ts";
import { lastSaid } from "../local/last-log-line.ts";
import type { SshNodeAt } from "../node-schemas.ts";
import { quote, type SshHost } from "./ssh-host.ts";

export type UnitView = {
  readonly process: "running" | "stopping" | "gone";
  /** It is what it is to be, and neither starts nor reloads. */
  readonly settled: boolean;
  /** It was to be started again by systemd in a moment. */
  readonly restarting: boolean;
  /** Another one for each start of the unit. */
  readonly invocation: string;
  readonly pid: number | null;
  readonly sinceMs: number;
  readonly lastWords: string | null;
  /** The text of the node's glance-api.conf. */
  readonly configText: string;
  /** Any process of the unit may tell systemd which one is its first, as one that takes over does. */
  readonly hearsAll: boolean;
  /** The unit itself tells the process to stop, and waits for it. */
  readonly stopsItself: boolean;
  /** The first process does something of its own at USR2; to another one it would be the end. */
  readonly catchesUsr2: boolean;
  /** The file that the configuration names for the process id, and the id in it. */
  readonly pidFile: { readonly path: string; readonly pid: number };
  /** How the last hand-over went; `writtenAt`: another one for each time it is noted. */
  readonly note: (HandOverNote & { readonly writtenAt: string }) | undefined;
};

const properties =
  "LoadState,ActiveState,SubState,MainPID,InvocationID,StateChangeTimestampMonotonic,ExecMainCode,ExecMainStatus,NotifyAccess,ExecStop";
const marker = "--- glance-rollout ---";

export class SystemdUnit {
  readonly #at: SshNodeAt;
  readonly #host: SshHost;

  constructor(at: SshNodeAt, host: SshHost) {
    this.#at = at;
    this.#host = host;
  }

  async observe(signal: AbortSignal): Promise<UnitView> {
    const { name, unit, config } = this.#at;
    // systemd's own lines on the unit say less than the last one of the process.
    const journal = `${words(this.#at.journalctl)} _SYSTEMD_UNIT="$1" --lines=1 --output=cat --no-pager 2>/dev/null`;
    const note = handOverNotePath("$file");
    const script = `shown=$(${words(this.#at.systemctl)} show "$1" --property=${properties}) || exit; printf '%s\\n' "$shown"
echo "Uptime=$(cut -d' ' -f1 /proc/uptime)"
pid=$(printf '%s\\n' "$shown" | sed -n 's/^MainPID=//p')
sed -n 's/^SigCgt:[[:blank:]]*/Catches=/p' "/proc/$pid/status" 2>/dev/null
file=$(sed -n 's/^pid_file[[:blank:]]*[=:][[:blank:]]*//p' "$2" 2>/dev/null | tail -n 1 | sed 's/[[:blank:]]*$//')
printf 'PidFile=%s\\nPidInFile=%s\\n' "$file" "$(cat -- "$file" 2>/dev/null)"
printf 'NotedAt=%s\\nNote=%s\\n' "$(stat -c %y -- "${note}" 2>/dev/null)" "$(cat -- "${note}" 2>/dev/null)"
echo '${marker}'; ${journal} || true; echo
echo '${marker}'; cat -- "$2"`;
    const { stdout } = await this.#host.run(script, [unit, config], { what: `look at ${name}`, signal });
    const [shown = "", said = "", ...rest] = stdout.split(`${marker}\n`);
    return this.#toView(readProperties(shown), said, rest.join(`${marker}\n`));
  }

  /** Returns when systemd has the job, not when it is done. */
  async start(signal: AbortSignal): Promise<void> {
    // After several failures systemd would refuse: whether to try again is the rollout's to decide.
    await this.#systemctl("start", 'reset-failed "$1" 2>/dev/null', 'start --no-block "$1"', signal);
  }

  /** Whether its host starts it at boot. */
  async enable(wanted: boolean, signal: AbortSignal): Promise<void> {
    const verb = wanted ? "enable" : "disable";
    await this.#systemctl(verb, null, `${verb} "$1"`, signal);
  }

  async stop(signal: AbortSignal): Promise<void> {
    await this.#systemctl("stop", null, 'stop --no-block "$1"', signal);
  }

  /** `main`: its first process alone, which looks after the others; else all of them. */
  async kill(name: "QUIT" | "KILL", who: "main" | "all", signal: AbortSignal): Promise<void> {
    // Gone in the meantime, which is what signals are for here; observe() tells.
    await this.#systemctl("cut", `kill --signal=SIG${name} --kill-who=${who} "$1" 2>/dev/null`, null, signal);
  }

  /** Asks the first process to hand over, where it still has this id. */
  async handOver(pid: number, signal: AbortSignal): Promise<void> {
    const command = words(this.#at.systemctl);
    const script = `pid=$(${command} show "$1" --property=MainPID | sed -n 's/^MainPID=//p')
[ "$pid" != "$2" ] || exec ${command} kill --signal=SIGUSR2 --kill-who=main "$1"`;
    await this.#host.run(script, [this.#at.unit, String(pid)], { what: `hand ${this.#at.name} over`, signal });
  }

  async #systemctl(what: string, tried: string | null, done: string | null, signal: AbortSignal): Promise<void> {
    const command = words(this.#at.systemctl);
    const script = [tried === null ? "" : `${command} ${tried}`, done === null ? "true" : `${command} ${done}`];
    await this.#host.run(script.join("\n"), [this.#at.unit], { what: `${what} ${this.#at.name}`, signal });
  }

  #toView(shown: ReadonlyMap<string, string>, said: string, configText: string): UnitView {
    const get = (key: string) => shown.get(key) ?? "";
    if (get("LoadState") !== "loaded") {
      const { name, host, unit } = this.#at;
      const message = `${name}: ${host} has no unit ${unit} (${get("LoadState") || "no state"}); install one after deploy/glance-api.service`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { node: name, host, unit } });
    }
    const restarting = get("SubState").startsWith("auto-restart");
    const note = parseHandOverNote(get("Note"));
    const process = restarting ? "gone" : processOf(get("ActiveState"));
    const pid = Number(get("MainPID"));
    const sinceMs = Number(get("Uptime")) * 1000 - Number(get("StateChangeTimestampMonotonic")) / 1000;
    return {
      process,
      settled: get("ActiveState") === "active",
      restarting,
      invocation: get("InvocationID"),
      pid: process !== "gone" && pid > 0 ? pid : null,
      sinceMs: process !== "gone" && sinceMs > 0 ? sinceMs : 0,
      lastWords: process === "gone" ? lastWords(get("ExecMainCode"), get("ExecMainStatus"), said) : null,
      configText,
      hearsAll: get("NotifyAccess") === "all",
      stopsItself: get("ExecStop") !== "",
      catchesUsr2: catches(get("Catches"), constants.signals.SIGUSR2),
      pidFile: { path: get("PidFile"), pid: Number(get("PidInFile")) },
      note: note && { ...note, writtenAt: get("NotedAt") },
    };
  }
}

function processOf(activeState: string): UnitView["process"] {
  if (activeState === "deactivating") return "stopping";
  return activeState === "inactive" || activeState === "failed" ? "gone" : "running";
}

/** `code` as the kernel has it: 1 exited, 2 and 3 killed; 0 where it never ran. */
function lastWords(code: string, status: string, said: string): string | null {
  const how = code === "1" ? `exit code ${status}` : code === "2" || code === "3" ? `ended by signal ${status}` : null;
  if (how === null) return null;
  return [how, lastSaid(said)].filter(Boolean).join(": ");
}

function readProperties(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").map((line) => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)] as const;
    }),
  );
}

function words(command: readonly string[]): string {
  return command.map(quote).join(" ");
}
