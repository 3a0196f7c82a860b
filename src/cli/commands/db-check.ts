// `db check`: which phase is due, told by the exit code.
import { type CheckResult, check } from "../../db/schema/check.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

const answers: Record<CheckResult["due"], { code: ExitCode; line: string }> = {
  nothing: { code: exitCodes.ok, line: "Database is up to date. No upgrades needed." },
  expand: {
    code: exitCodes.expandDue,
    line: "Your database is not up to date. Your first step is to run `glance-manage db expand`.",
  },
  migrate: {
    code: exitCodes.migrateDue,
    line: "Your database is not up to date. Your next step is to run `glance-manage db migrate`.",
  },
  contract: {
    code: exitCodes.contractDue,
    line: "Your database is not up to date. Your next step is to run `glance-manage db contract`.",
  },
};

export const dbCheck: ManageCommand = {
  name: "check",
  summary: "Tell which step is due on the way to the target release.",
  help: "Exit code 0: nothing, 3: db expand, 4: db migrate, 5: db contract. Changes nothing.",
  flags: [],
  async run({ db, target, out }) {
    const result = await check(db, target);
    const { code, line } = answers[result.due];
    out.result(line, { command: "check", target: target.id, ...result });
    return code;
  },
};
