// The driver `command` with an operator's script over systemd.
import assert from "node:assert/strict";
import { appendFile, chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../../../../test/servers/free-port.ts";
import { type Systemd, startSystemd, whyNoSystemd } from "../../../../test/servers/systemd.ts";
import { handOverConformance } from "../../testing/hand-over-conformance.ts";
import { nodeDriverConformance } from "../../testing/node-driver-conformance.ts";
import { smallUnit } from "../../testing/small-unit.ts";
import type { CommandNodeAt } from "../node-schemas.ts";
import { createCommandNode } from "./command-node.ts";

const signal = new AbortController().signal;

/** As an operator may write it: `ctl status|start|stop|cut|install|handover [RELEASE]`. */
const script = (folder: string, unit: string, { systemctl, journalctl }: Systemd) => `#!/bin/sh
conf=${folder}/glance-api.conf; note=${folder}/node.pid.handover
ctl() { ${systemctl.join(" ")} "$@" ${unit}; }
get() { ctl show --property="$1" --value; }
release() { sed -n 's/^release *= *//p' "$conf"; }
install() { sed -i "s/^release *=.*/release = $1/" "$conf"; }
noted() { grep -qs "state.:.$1.,.from.:$main," "$note"; }
case $1 in
  status)
    case $(get ActiveState) in activating | active | reloading) state=running ;; deactivating) state=stopping ;; *) state=gone ;; esac
    said=$(${journalctl.join(" ")} _SYSTEMD_UNIT=${unit} --lines=1 --output=cat --no-pager)
    printf '{"process":"%s","release":"%s","id":"%s","pid":%s,"last_words":"exit code %s: %s"}\\n' \\
      $state "$(release)" "$(get InvocationID)-$(get MainPID)" "$(get MainPID)" "$(get ExecMainStatus)" "$said" ;;
  start | stop) ctl --no-block $1 ;;
  cut) ctl --no-block stop; ctl kill --signal=SIGKILL
    until [ "$(get MainPID)" = 0 ]; do sleep 0.05; done ;;
  install) install "$2" ;;
  handover)
    was=$(release); main=$(get MainPID)
    noted 'under way' || { rm -f "$note"; install "$2"; ctl kill --signal=SIGUSR2 --kill-who=main; }
    until [ "$(get MainPID)" != "$main" ]; do
      if noted failed; then install "$was"; echo "it goes on as it was: $(cat "$note")" >&2; exit 1; fi
      sleep 0.05
    done ;;
esac
`;

const skip = whyNoSystemd();
let systemd: Systemd;
let made = 0;

if (skip) test("command nodes over systemd", { skip }, () => undefined);
else {
  before(async () => {
    systemd = await startSystemd();
  });
  after(() => systemd.stop());
  nodeDriverConformance("command", make);
  handOverConformance("command", make);
}

async function make() {
  const folder = await mkdtemp(join(tmpdir(), "perennial-command-node-"));
  const address = `127.0.0.1:${await freePort()}`;
  const unit = `node-${++made}.service`;
  const { config } = await smallUnit(systemd, folder, address, unit);
  const ctl = join(folder, "ctl");
  await writeFile(ctl, script(folder, unit, systemd));
  await chmod(ctl, 0o755);
  const at: CommandNodeAt = {
    name: "n1",
    driver: "command",
    address,
    status: [ctl, "status"],
    start: [ctl, "start"],
    stop: [ctl, "stop"],
    cut: [ctl, "cut"],
    install: [ctl, "install", "{release}"],
    handover: [ctl, "handover", "{release}"],
    msMax: 60_000,
    installMsMax: 240_000,
  };
  const driver = createCommandNode(at);
  return {
    at,
    driver,
    another: () => createCommandNode(at),
    url: `http://${address}`,
    failAt: (release: string) => appendFile(config, `fail = ${release}\n`),
    deafen: () => appendFile(config, "deaf = yes\n"),
    takeOverWhen: (file: string) => appendFile(config, `take_over_when = ${file}\n`),
    clean: async () => {
      await driver.cut(signal);
      await rm(folder, { recursive: true });
    },
  };
}

test("command nodes: what status does not say rightly is told, with what it must say", async () => {
  const wrong: [string, RegExp][] = [
    ["{}", /n1: the command of status \(echo \{\}\) must print process as running, stopping or gone/],
    ['{"process":"gone","release":"octa"}', /must print release, .* one of: newton, ocata/],
    ['{"process":"running","release":"ocata"}', /must print id, another one for each process/],
    ['{"process":"gone","release":"ocata","seconds":"1"}', /must print seconds/],
    ["gone", /status n1: 'echo gone' did not print JSON/],
  ];
  const never = ["false"];
  const rest = { start: never, stop: never, cut: never, install: ["true"], msMax: 20_000, installMsMax: 20_000 };
  const node = (text: string) =>
    createCommandNode({ name: "n1", driver: "command", address: "127.0.0.1:9", status: ["echo", text], ...rest });
  for (const [text, message] of wrong)
    await assert.rejects(node(text).observe(signal), { code: "rollout.driver_failed", message });
  const gone = node('{"process":"gone","release":"newton"}');
  await assert.rejects(gone.start(signal), { message: /start n1: 'false' ended with 1/ });
  await assert.rejects(gone.install("ocata", signal), {
    message: /installed ocata, yet status says that newton is started next/,
  });
  const running = node('{"process":"running","release":"newton","id":1}');
  await assert.rejects(running.stop(signal), { message: /stop n1: 'false' ended with 1/ });
});

test("command nodes: without a command to hand over they cannot, and one that did nothing is told", async () => {
  const rest = {
    start: ["true"],
    stop: ["true"],
    cut: ["true"],
    install: ["true"],
    msMax: 20_000,
    installMsMax: 20_000,
  };
  const status = (more: string) => ["echo", `{"process":"running","release":"newton","id":1${more}}`];
  const node = (change: Partial<CommandNodeAt>, more = "") =>
    createCommandNode({
      name: "n1",
      driver: "command",
      address: "127.0.0.1:9",
      status: status(more),
      ...rest,
      ...change,
    });
  const unable = node({});
  assert.equal(unable.handOver, undefined);
  const seen = await unable.observe(signal);
  assert.deepEqual([seen.handsOver, seen.handOverLacks], [false, "a command `handover` in the fleet file"]);
  const refused: [Partial<CommandNodeAt>, string, RegExp][] = [
    [{ handover: ["true"] }, "", /handover \(true\) returned, yet status tells of no new process/],
    [{ handover: ["true"] }, ',"hands_over":false', /was not called: status says/],
    [{ handover: ["false"] }, "", /handover n1: 'false' ended with 1/],
  ];
  for (const [change, more, message] of refused)
    await assert.rejects(node(change, more).handOver?.("ocata", signal) ?? Promise.resolve(), { message });
});
