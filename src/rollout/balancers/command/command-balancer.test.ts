// The driver `command` with an operator's script that speaks to the real HAProxy.
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startHaproxy } from "../../../../test/servers/haproxy.ts";
import { systemClock } from "../../../core/clock.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import type { CommandBalancerAt } from "../balancer-schemas.ts";
import { createCommandBalancer } from "./command-balancer.ts";

const signal = new AbortController().signal;

/** As an operator may write it: `lb SOCKET state`, `lb SOCKET set NODE STATE`. Perl, as Debian always has it, starts in no time. */
const script = `#!/usr/bin/perl
use strict; use IO::Socket::UNIX;
my ($socket, $verb, $node, $state) = @ARGV;
sub ask {
  my $to = IO::Socket::UNIX->new(Peer => $socket) or do { print STDERR "HAProxy is not there\\n"; exit 3 };
  print $to "$_[0]\\n"; $to->flush; local $/; return scalar <$to>;
}
if ($verb eq "set") {
  my $said = ask("set server glance/$node state $state");
  if ($said =~ /\\S/) { print STDERR $said; exit 4 }
  exit 0;
}
my %sessions;
for (split /\\n/, ask("show stat")) { my @f = split /,/; $sessions{$f[1]} = $f[2] + $f[4] if $f[0] eq "glance" }
my @out;
for (split /\\n/, ask("show servers state glance")) {
  my @f = split / /; next unless defined $f[3] && $f[1] eq "glance";
  my $state = $f[6] & 0x67 ? "maint" : $f[6] & 0x18 ? "drain" : "ready";
  push @out, sprintf('"%s":{"state":"%s","up":%s,"sessions":%d}', $f[3], $state, $f[5] ? "true" : "false", $sessions{$f[3]});
}
print "{", join(",", @out), "}\\n";
`;

const commands = (lb: string, socket: string): CommandBalancerAt => ({
  driver: "command",
  state: [lb, socket, "state"],
  drain: [lb, socket, "set", "{node}", "{state}"],
  maint: [lb, socket, "set", "{node}", "maint"],
  ready: [lb, socket, "set", "{node}", "ready"],
  msMax: 20_000,
});

balancerConformance("command", async (servers) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-lb-"));
  const lb = join(folder, "lb");
  await writeFile(lb, script);
  await chmod(lb, 0o755);
  const haproxy = await startHaproxy({ servers });
  return {
    driver: (nodes) => createCommandBalancer(commands(lb, haproxy.socket), nodes, systemClock),
    url: haproxy.url,
    kill: () => haproxy.stop(),
    clean: () => rm(folder, { recursive: true }),
  };
});

const saying = (state: string, msMax = 20_000) =>
  createCommandBalancer(
    { driver: "command", state: ["echo", state], drain: ["true"], maint: ["true"], ready: ["true"], msMax },
    ["n1"],
    systemClock,
  );

test("command: what its state does not say rightly is told with the right form", async () => {
  const wrong: [string, RegExp][] = [
    ["nothing", /balancer\.state: 'echo nothing' did not print JSON/],
    ["[]", /must print a mapping of servers; docs\/rollout\.md/],
    ['{"n1":{"state":"up","up":true}}', /must print n1\.state as ready, drain or maint/],
    ['{"n1":{"state":"ready","up":"yes"}}', /must print n1\.up as true or false/],
    ['{"n1":{"state":"ready","up":true,"sessions":-1}}', /must print n1\.sessions as a number from 0/],
  ];
  for (const [text, message] of wrong)
    await assert.rejects(saying(text).observe(signal), { code: "rollout.driver_failed", message });
});

test("command: sessions may be left out; a state that does not come is told", async () => {
  const balancer = saying('{"n1":{"state":"ready","up":true}}', 300);
  assert.deepEqual((await balancer.observe(signal)).get("n1"), { state: "ready", up: true, sessions: 0 });
  await assert.rejects(balancer.setState("n1", "drain", signal), {
    code: "rollout.driver_failed",
    message: /balancer\.drain took n1, yet balancer\.state says ready of it/,
  });
});
