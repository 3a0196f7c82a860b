// Takes DEFINER out of a dump: creating a trigger, routine or view in another user's name needs a privilege that whoever restores seldom
// has, and the user may not exist there. Without it they belong to who restores.
import type { DumpClause } from "../dump-filter.ts";

export const definerClauses: readonly DumpClause[] = [
  {
    begin: "\n/*!50003 CREATE*/ /*!50017 DEFINER=",
    clause: /^\n\/\*!50003 CREATE\*\/ \/\*!50017 DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`\*\/ /,
    instead: "\n/*!50003 CREATE*/ ",
  },
  {
    begin: "\nCREATE DEFINER=",
    clause: /^\nCREATE DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` (?=PROCEDURE|FUNCTION)/,
    instead: "\nCREATE ",
  },
  {
    begin: "\n/*!50013 DEFINER=",
    clause: /^\n\/\*!50013 DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` /,
    instead: "\n/*!50013 ",
  },
];
