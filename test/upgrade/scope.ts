// How much of their matrices the whole-process tests run: a sample in `npm test`, all of it in `npm run test:full`.
import { databaseKinds as allKinds, type DatabaseKind } from "../../demo/database.ts";

export const isFull = process.env.PERENNIAL_TESTS === "full";

/** DIALECTS=sqlite, mysql and so on narrows them. */
const dialects = (process.env.DIALECTS ?? "sqlite,mysql,postgresql").split(",");
export const databaseKinds: readonly DatabaseKind[] = allKinds.filter((kind) =>
  dialects.includes(kind === "mariadb" ? "mysql" : kind),
);
