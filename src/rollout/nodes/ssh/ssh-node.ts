// The node driver `ssh`: nodes are systemd units on hosts of their own. systemd is who knows whether a process was told to stop and which
// process is which, so nothing is remembered here, and a rollout that died is gone on with by looking.
import type { Clock } from "../../../core/clock.ts";
import { ServiceError } from "../../../core/errors.ts";
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import { nodeConfigOf, withOptions } from "../local/node-config.ts";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import type { SshNodeAt } from "../node-schemas.ts";
import { installSoftware } from "./install-release.ts";
import { type SshHost, sshHost } from "./ssh-host.ts";
import { SystemdUnit, type UnitView } from "./systemd-unit.ts";

/** From a job given to systemd until it shows. */
const noticeMsMax = 10_000;
/** From the signal to cut, until the processes are ended by force. */
const cutGraceMsMax = 15_000;
const endMsMax = 5_000;
const pollMs = 100;

/** Replaces $1 by standard input, which has $2 bytes, in one step; mode and owner stay. */
const replaceScript = `set -eu; umask 077; new="$1.glance-rollout"; trap 'rm -f "$new"' EXIT
cat > "$new"; [ "$(wc -c < "$new")" -eq "$2" ] || { echo "it arrived cut short" >&2; exit 1; }
chmod --reference="$1" "$new"; chown --reference="$1" "$new"; sync "$new"; mv -f "$new" "$1"; sync "$(dirname "$1")"`;

export function createSshNode(at: SshNodeAt, clock: Clock): NodeDriver {
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
    return {
      configRelease: this.#releaseOf(view),
      process,
      stopUnsure: false,
      processId: process === "gone" ? null : invocation,
      pid,
      processMs: sinceMs,
      lastWords,
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

  async start(signal: AbortSignal): Promise<void> {
    const before = await this.#unit.observe(signal);
    if (before.process !== "gone") return;
    await this.#unit.start(signal);
    // One that ends at once may never be seen running; that it was started shows by its new invocation.
    await this.#until(noticeMsMax, signal, (view) => view.process !== "gone" || view.invocation !== before.invocation);
  }

  async #writeRelease(view: UnitView, release: ReleaseId, signal: AbortSignal): Promise<void> {
    const { name, config } = this.#at;
    const text = withOptions(view.configText, config, { release });
    if (text === view.configText) return;
    const what = `write ${config} of ${name}`;
    await this.#host.run(replaceScript, [config, String(Buffer.byteLength(text))], { what, signal, input: text });
  }

  #releaseOf(view: UnitView): ReleaseId {
    return nodeConfigOf(view.configText, `${this.#at.host}:${this.#at.config}`).release;
  }

  /** False where `msMax` passed in vain. */
  async #until(msMax: number, signal: AbortSignal, reached: (view: UnitView) => boolean): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + msMax;
    while (!reached(await this.#unit.observe(signal))) {
      if (this.#clock.monotonicMs() > deadlineMs) return false;
      await this.#clock.sleep(pollMs, signal);
    }
    return true;
  }

  #failed(what: string): ServiceError {
    const { name, host } = this.#at;
    return new ServiceError("rollout.driver_failed", `${name} on ${host} ${what}`, { facts: { node: name, host } });
  }
}
