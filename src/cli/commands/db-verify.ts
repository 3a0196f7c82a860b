// `db verify`: proves every row, as contract does before its first step.
import { verify } from "../../db/schema/verify.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

export const dbVerify: ManageCommand = {
  name: "verify",
  summary: "Compare how old and new releases read every row. Changes nothing.",
  help: "Exit code 0: contract would lose nothing. 1: it would, and the lines say what. Reads without locks, while the fleet serves.",
  flags: [],
  async run({ out, engine, target }) {
    const { rows, invariants, sound } = await verify(engine);
    const lines = invariants.map((one) => {
      const such = one.examples.length > 0 ? `, such as ${one.examples.join(", ")}` : "";
      const mark = one.broken === 0 ? "ok" : one.severity === "refuse" ? "WRONG" : "note";
      return `${mark.padEnd(6)}${one.broken} ${one.name}${such}`;
    });
    const summary = sound
      ? `Verified ${rows} rows: contract would lose nothing.`
      : `Verified ${rows} rows: do not contract yet.`;
    out.result([...lines, summary], { command: "verify", target: target.id, rows, invariants, sound });
    return sound ? exitCodes.ok : exitCodes.failed;
  },
};
