// How much of their matrices the whole-process tests run: a sample in `npm test`, all of it in `npm run test:full`.
import { databaseKinds as allKinds, type DatabaseKind } from "../../demo/database.ts";

export const isFull = process.env.PERENNIAL_TESTS === "full";

/** All databases, narrowed by DIALECTS=sqlite, mysql and so on. */
export const databaseKinds: readonly DatabaseKind[] = allKinds.filter((kind) => {
  const dialects = process.env.DIALECTS?.split(",");
  return dialects === undefined || dialects.includes(kind === "mariadb" ? "mysql" : kind) || dialects.includes(kind);
});
