#!/usr/bin/env node
import { launch } from "./launch.js";

// Those that move nodes: what it serves itself, as `balancer` does, gives way to nobody. Half a minute without the processor would cost a
// rollout its lease: a tenth of what others get is enough for it.
const moves = ["run", "rollback", "takeover"].includes(process.argv[2] ?? "");
await launch("glance-rollout", moves ? (share) => void share.giveWay(10) : undefined);
