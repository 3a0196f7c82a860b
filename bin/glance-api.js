#!/usr/bin/env node
import { launch } from "./launch.js";

// While it starts; on a machine that has nothing left it would start for ever.
await launch("glance-api", { niceness: 19, msMax: 2_000 });
