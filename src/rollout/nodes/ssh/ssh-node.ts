// The node driver `ssh`: nodes are systemd units on hosts of their own. systemd is who knows whether a process was told to stop and which
// process is which, so nothing is remembered here, and a rollout that died is gone on with by looking.
//
// A hand-over is asked for by USR2 to the unit's first process, and done when systemd has been told of another first one (MAINPID=) that is
// ready; that it failed, and why, is in the note beside the node's pid file. The unit's invocation stays the same throughout.
import type { Clock } from "../../../core/clock.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import { type NodeConfig, nodeConfigOf, withOptions } from "../local/node-config.ts";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import { packagesOf, type SshNodeAt } from "../node-schemas.ts";
import { installSoftware } from "./install-release.ts";
import { type SshHost, sshHost } from "./ssh-host.ts";
import { SystemdUnit, type UnitView } from "./systemd-unit.ts";

/** From a job given to systemd until it shows. */
const noticeMsMax = 10_000;
/** From the signal to cut, until the processes are ended by force. */
const cutGraceMsMax = 15_000;
const endMsMax = 5_000;
/** A node gives its new process two minutes by default; whoever asks has a limit of their own. */
const handOverMsMax = 3_600_000;
const pollMs = 100;

/** Replaces $1 by standard input, which has $2 bytes, in one step; mode and owner stay. */
const replaceScript = `set -eu; umask 077; new="$1.glance-rollout"; trap 'rm -f "$new"' EXIT
cat > "$new"; [ "$(wc -c < "$new")" -eq "$2" ] || { echo "it arrived cut short" >&2; exit 1; }
chmod --reference="$1" "$new"; chown --reference="$1" "$new"; sync "$new"; mv -f "$new" "$1"; sync "$(dirname "$1")"`;

export function createSshNode(
  at: SshNodeAt,
  clock: Clock,
): NodeDriver & Required<Pick<NodeDriver, "handOver" | "startAtBoot">> {
  const host = sshHost(at);
  return new SshNode(at, host, new SystemdUnit(at, host), clock);
}

class SshNode implements NodeDriver {
  readonly installMsMax: number;
  readonly #at: SshNodeAt;
  readonly #host: SshHost;
  readonly #unit: SystemdUnit;
  readonly #clock: Clock;

  constructor(at: SshNodeAt, host: SshHost, unit: SystemdUnit, clock: Clock) {
    this.#at = at;
    this.#host = host;
    this.#unit = unit;
    this.#clock = clock;
    this.installMsMax = at.installMsMax;
  }

  async observe(signal: AbortSignal): Promise<NodeObservation> {
    const view = await this.#unit.observe(signal);
    const { process, invocation, pid, sinceMs, lastWords } = view;
    const lacks = process === "running" ? this.#handOverLacks(view) : null;
    return {
      configRelease: this.#releaseOf(view),
      process,
      stopUnsure: false,
      // A hand-over leaves another process in the same invocation.
      processId: process === "gone" ? null : `${invocation}/${pid ?? 0}`,
      pid,
      processMs: sinceMs,
      lastWords,
      handsOver: process === "running" && lacks === null,
      ...(lacks !== null && { handOverLacks: lacks }),
    };
  }

  async stop(signal: AbortSignal): Promise<void> {
    const before = await this.#unit.observe(signal);
    // One that systemd is to start again in a moment is gone, and has to stay so.
    if (before.process !== "running" && !before.restarting) return;
    // systemd tells a unit once, however often it is asked to.
    await this.#unit.stop(signal);
    const told = (view: UnitView) => view.process !== "running" || view.invocation !== before.invocation;
    if (await this.#until(noticeMsMax, signal, told)) return;
    throw this.#failed(`was to stop, yet ${this.#at.unit} is still active; look at: systemctl status ${this.#at.unit}`);
  }

  async cut(signal: AbortSignal): Promise<void> {
    const gone = (view: UnitView) => view.process === "gone" && !view.restarting;
    if (gone(await this.#unit.observe(signal))) return;
    // Told to stop first, or systemd would start it again.
    await this.#unit.stop(signal);
    await this.#unit.kill("QUIT", "main", signal);
    if (await this.#until(cutGraceMsMax, signal, gone)) return;
    await this.#unit.kill("KILL", "all", signal);
    if (await this.#until(endMsMax, signal, gone)) return;
    throw this.#failed("does not end even when killed; look at its processes");
  }

  async install(release: ReleaseId, signal: AbortSignal): Promise<void> {
    const view = await this.#unit.observe(signal);
    if (view.process !== "gone") throw this.#failed("is running, so nothing can be installed");
    if (view.restarting) await this.#unit.stop(signal);
    await this.#change(view, release, signal);
  }

  async handOver(release: ReleaseId, signal: AbortSignal): Promise<void> {
    const first = await this.#unit.observe(signal);
    const before = await this.#until(handOverMsMax, signal, (view) => !isUnderWay(view));
    if (!before) throw this.#failed("hands over without end; see its log");
    // Somebody had asked for it already: a rollout that has died since, or lost its connection.
    if (isHandedOver(first, before) && this.#releaseOf(before) === release) return;
    const lacks = before.process === "running" ? this.#handOverLacks(before) : "a running process";
    if (lacks !== null || before.pid === null) throw this.#failed(`cannot hand over: it lacks ${lacks}`);
    const was = this.#releaseOf(before);
    await this.#change(before, release, signal);
    await this.#unit.handOver(before.pid, signal);
    const over = (view: UnitView) =>
      isHandedOver(before, view) || !isSameStart(before, view) || newNote(before, view) !== undefined;
    const after = await this.#until(handOverMsMax, signal, over);
    if (!after) throw this.#failed("was asked to hand over, but nothing is known of it; see its log");
    if (isHandedOver(before, after)) return;
    if (!isSameStart(before, after))
      throw this.#failed(`ended while it handed over: ${after.lastWords ?? "see its log"}`);
    const note = newNote(before, after);
    if (note?.state === "failed") throw await this.#goesOn(after, was, note.why ?? "it does not say why", signal);
    if (await this.#until(noticeMsMax, signal, (view) => isHandedOver(before, view))) return;
    const { unit } = this.#at;
    throw this.#failed(
      `handed over, yet systemd has no other first process of ${unit}; look at: systemctl status ${unit}`,
    );
  }

  async start(signal: AbortSignal): Promise<void> {
    const before = await this.#unit.observe(signal);
    if (before.process !== "gone") return;
    await this.#unit.start(signal);
    // One that ends at once may never be seen running; that it was started shows by its new invocation.
    await this.#until(noticeMsMax, signal, (view) => view.process !== "gone" || view.invocation !== before.invocation);
  }

  async startAtBoot(wanted: boolean, signal: AbortSignal): Promise<void> {
    await this.#unit.enable(wanted, signal);
  }

  /** What is missing for a hand-over of a process that runs; null: nothing. */
  #handOverLacks(view: UnitView): string | null {
    const { path, pid } = view.pidFile;
    if (!view.hearsAll) return `NotifyAccess=all in ${this.#at.unit}`;
    // systemd kills a first process that is not its own child in the moment in which it tells it to stop.
    if (!view.stopsItself) return `ExecStop in ${this.#at.unit}, as deploy/glance-api.service has it`;
    if (!path.startsWith("/") || this.#configOf(view).pidFile !== path) return "an absolute [perennial] pid_file";
    if (pid !== view.pid) return `its process id in ${path}, as it is after a restart`;
    return view.catchesUsr2 ? null : "a running package that knows hand-overs";
  }

  /** No new process took over: what is started next is again what it was. */
  async #goesOn(view: UnitView, was: ReleaseId, why: string, signal: AbortSignal): Promise<ServiceError> {
    const { install } = this.#at;
    const known = !install || install.by === "command" || packagesOf(this.#at)?.[was] !== undefined;
    const newer = releaseOf(was).order > releaseOf(this.#releaseOf(view)).order;
    try {
      // Newer software runs as the older release too.
      if (known || newer) await this.#change(view, was, signal);
      else await this.#writeRelease(view, was, signal);
    } catch (error) {
      return this.#failed(`goes on as it was: ${why}; but ${was} could not be put back (${errorText(error)})`);
    }
    return this.#failed(`goes on as it was: ${why}`);
  }

  /** Software and configuration, of a process that is gone or has all it needs in memory. */
  async #change(view: UnitView, release: ReleaseId, signal: AbortSignal): Promise<void> {
    const { install } = this.#at;
    const software = async () => {
      if (install) await installSoftware(this.#at, install, this.#host, release, signal);
    };
    // Newer software may run as an older release, not the other way round: killed in between, it can still be started.
    const forward = releaseOf(release).order >= releaseOf(this.#releaseOf(view)).order;
    if (forward) await software();
    await this.#writeRelease(view, release, signal);
    if (!forward) await software();
  }

  async #writeRelease(view: UnitView, release: ReleaseId, signal: AbortSignal): Promise<void> {
    const { name, config } = this.#at;
    const text = withOptions(view.configText, config, { release });
    if (text === view.configText) return;
    const what = `write ${config} of ${name}`;
    await this.#host.run(replaceScript, [config, String(Buffer.byteLength(text))], { what, signal, input: text });
  }

  #releaseOf(view: UnitView): ReleaseId {
    return this.#configOf(view).release;
  }

  #configOf(view: UnitView): NodeConfig {
    return nodeConfigOf(view.configText, `${this.#at.host}:${this.#at.config}`);
  }

  /** What was seen then; undefined where `msMax` passed in vain. */
  async #until(
    msMax: number,
    signal: AbortSignal,
    reached: (view: UnitView) => boolean,
  ): Promise<UnitView | undefined> {
    const deadlineMs = this.#clock.monotonicMs() + msMax;
    for (;;) {
      const view = await this.#unit.observe(signal);
      if (reached(view)) return view;
      if (this.#clock.monotonicMs() > deadlineMs) return undefined;
      await this.#clock.sleep(pollMs, signal);
    }
  }

  #failed(what: string): ServiceError {
    const { name, host } = this.#at;
    return new ServiceError("rollout.driver_failed", `${name} on ${host} ${what}`, { facts: { node: name, host } });
  }
}

function isUnderWay({ process, pid, note }: UnitView): boolean {
  return process === "running" && note?.state === "under way" && note.from === pid;
}

function isSameStart(before: UnitView, now: UnitView): boolean {
  return now.process === "running" && now.invocation === before.invocation;
}

/** Another process of the same start of the unit is its first one, and serves. */
function isHandedOver(before: UnitView, now: UnitView): boolean {
  return isSameStart(before, now) && now.settled && now.pid !== null && now.pid !== before.pid;
}

/** How a hand-over that was asked for since has ended, where it has. */
function newNote(before: UnitView, now: UnitView): UnitView["note"] {
  const { note } = now;
  const isNew = note?.from === before.pid && note?.writtenAt !== before.note?.writtenAt;
  return isNew && note?.state !== "under way" ? note : undefined;
}
