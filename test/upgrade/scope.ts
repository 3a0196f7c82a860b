// How much of their matrices the whole-process tests run: a sample in `npm test`, all of it in `npm run test:full`.
import type { DatabaseKind } from "../../demo/fleet.ts";

export const isFull = process.env.PERENNIAL_TESTS === "full";

/** Both databases, narrowed by DIALECTS=sqlite or DIALECTS=mysql. */
export const databaseKinds: readonly DatabaseKind[] = (["sqlite", "mariadb"] as const).filter((kind) => {
  const dialects = process.env.DIALECTS?.split(",");
  return dialects === undefined || dialects.includes(kind === "mariadb" ? "mysql" : kind) || dialects.includes(kind);
});
