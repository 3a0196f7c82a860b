// The limits of a data migration as the command line names them, for `db migrate` and for changing one that runs.

import type { BackfillLimits } from "../../db/schema/backfill-limits.ts";
import { type AdjustableLimits, adjustable } from "../../db/schema/migrate-controls.ts";
import { type ManageFlag, wholeNumber } from "../manage-command.ts";

type LimitFlag = { readonly name: string; readonly limit: keyof BackfillLimits; readonly help: string };

const limitFlags: readonly LimitFlag[] = [
  { name: "max-rows", limit: "rowsMax", help: "stop after about this many rows" },
  { name: "max-seconds", limit: "secondsMax", help: "stop after this time" },
  { name: "batch-rows", limit: "batchRows", help: "rows of the first batch (default 200); later ones adapt" },
  { name: "max-batch-rows", limit: "batchRowsMax", help: "no batch is larger (default 5000)" },
  { name: "target-ms", limit: "targetMs", help: "what one batch should take (default 50)" },
  {
    name: "max-threads-running",
    limit: "threadsRunningMax",
    help: "hold back while the server runs more statements than this at once (default 24)",
  },
  {
    name: "max-replica-lag",
    limit: "replicaLagSecondsMax",
    help: "hold back while a --replica, or a standby that PostgreSQL knows, is further behind, in seconds (default 10)",
  },
  {
    name: "max-p99-ms",
    limit: "p99MsMax",
    help: "hold back while the slowest node's requests take longer, at the 99th percentile of its last heartbeat (default: no limit)",
  },
];

export const limitOptions: readonly ManageFlag[] = limitFlags.map(({ name, help }) => ({
  flag: `--${name} <n>`,
  help,
  parse: wholeNumber(1),
}));

const camelCase = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** Those that were given. */
export function limitsFrom(flag: (name: string) => number | undefined): Partial<BackfillLimits> {
  const given = limitFlags.flatMap(({ name, limit }) => {
    const value = flag(camelCase(name));
    return value === undefined ? [] : [[limit, value] as const];
  });
  return Object.fromEntries(given);
}

/** `target-ms=20,max-threads-running=40`; throws a sentence about what is wrong in it. */
export function parseChanges(text: string): AdjustableLimits {
  const changes = text.split(",").map((part) => {
    const [name = "", value = ""] = part.split("=");
    const found = limitFlags.find((one) => one.name === name.trim());
    const limit = adjustable.find((one) => one === found?.limit);
    if (!limit) throw new RangeError(`'${name}' cannot be changed; these can: ${changeable().join(", ")}`);
    return [limit, wholeNumber(1)(value.trim())] as const;
  });
  return Object.fromEntries(changes);
}

function changeable(): readonly string[] {
  return limitFlags.filter(({ limit }) => adjustable.some((one) => one === limit)).map(({ name }) => name);
}

/** For people: `target-ms=20`. */
export function changesText(limits: AdjustableLimits): string {
  return limitFlags
    .flatMap(({ name, limit }) => {
      const key = adjustable.find((one) => one === limit);
      const value = key && limits[key];
      return value === undefined ? [] : [`${name}=${value}`];
    })
    .join(", ");
}
