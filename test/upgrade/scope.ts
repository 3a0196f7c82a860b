// How much of their matrices the whole-process tests run: a sample in `npm test`, all of it in `npm run test:full`.
import { databaseKinds as allKinds, type DatabaseKind } from "../../demo/database.ts";

export const isFull = process.env.PERENNIAL_TESTS === "full";

/** DIALECTS=sqlite, mysql and so on narrows them. */
const dialects = (process.env.DIALECTS ?? "sqlite,mysql,postgresql").split(",");
const chosenKinds: readonly DatabaseKind[] = allKinds.filter((kind) =>
  dialects.includes(kind === "mariadb" ? "mysql" : kind),
);

/**
 * The databases that a matrix runs on: all of them in the full run, `sample` otherwise, unless DIALECTS asks for others. The samples are
 * spread so that each database has its turn.
 */
export function databasesFor(sample: DatabaseKind): readonly DatabaseKind[] {
  return isFull || process.env.DIALECTS !== undefined ? chosenKinds : [sample];
}
