// What may be ordered from the page, and how an order is read from a request. Doing it is the command line's, by the same means as its
// own commands.

export const migrateLimits = ["batchRowsMax", "targetMs", "threadsRunningMax", "p99MsMax"] as const;
export type MigrateLimit = (typeof migrateLimits)[number];

export type ConsoleAct =
  | { readonly act: "pause" | "resume" | "abort" | "rollback" | "contract" | "migrate-pause" | "migrate-resume" }
  | { readonly act: "migrate-limits"; readonly limits: Readonly<Partial<Record<MigrateLimit, number>>> };

/** Does it in the name of `who`, and returns a line on what was done. Throws ServiceError. */
export type DoAct = (act: ConsoleAct, who: string) => Promise<string>;

const plain = ["pause", "resume", "abort", "rollback", "contract", "migrate-pause", "migrate-resume"] as const;
const whoCharactersMax = 80;

/** A string says what is wrong with the body. */
export function readOrder(body: unknown): { readonly order: ConsoleAct; readonly who: string } | string {
  if (typeof body !== "object" || body === null) return "an order is a JSON object";
  const { act, who, limits } = body as Readonly<Record<string, unknown>>;
  if (typeof who !== "string" || !/^[\p{L}\p{N} ._@-]+$/u.test(who) || who.length > whoCharactersMax || !who.trim())
    return `who is your name: letters, digits and . _ @ -, at most ${whoCharactersMax}`;
  const known = plain.find((one) => one === act);
  if (known) return { order: { act: known }, who: who.trim() };
  if (act !== "migrate-limits") return `act is one of ${[...plain, "migrate-limits"].join(", ")}`;
  const read = readLimits(limits);
  return typeof read === "string" ? read : { order: { act, limits: read }, who: who.trim() };
}

function readLimits(given: unknown): Partial<Record<MigrateLimit, number>> | string {
  const entries = typeof given === "object" && given !== null ? Object.entries(given) : [];
  const known = entries.flatMap(([name, value]) => {
    const limit = migrateLimits.find((one) => one === name);
    return limit && Number.isSafeInteger(value) && value > 0 && value <= 1_000_000
      ? [[limit, Number(value)] as const]
      : [];
  });
  if (known.length === 0 || known.length < entries.length)
    return `limits has whole numbers from 1 to 1000000 for some of ${migrateLimits.join(", ")}`;
  return Object.fromEntries(known);
}
