// The program of a worker process, started by the supervisor of `glance-api`.
import { runWorker } from "../node/worker.ts";
import { configuration } from "./wire-options.ts";
import { buildWorkerService } from "./wire-worker.ts";

runWorker({ configuration, build: buildWorkerService });
