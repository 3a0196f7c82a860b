// The program of a worker process, started by the supervisor of `glance-api`.
import { runWorker } from "../node/worker.ts";
import { buildWorkerService } from "./wire.ts";
import { allOptionGroups } from "./wire-options.ts";

runWorker({ groups: allOptionGroups, build: buildWorkerService });
