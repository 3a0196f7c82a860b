// All subcommands of glance-manage, in the order --help lists them.
import { dbBackup } from "./commands/db-backup.ts";
import { dbCheck } from "./commands/db-check.ts";
import { dbContract } from "./commands/db-contract.ts";
import { dbExpand } from "./commands/db-expand.ts";
import { dbExportMetadefs } from "./commands/db-export-metadefs.ts";
import { dbLoadMetadefs } from "./commands/db-load-metadefs.ts";
import { dbMigrate } from "./commands/db-migrate.ts";
import { dbPlan } from "./commands/db-plan.ts";
import { dbPurge } from "./commands/db-purge.ts";
import { dbPurgeImagesTable } from "./commands/db-purge-images-table.ts";
import { dbRestore } from "./commands/db-restore.ts";
import { dbRevert } from "./commands/db-revert.ts";
import { dbSync } from "./commands/db-sync.ts";
import { dbUnloadMetadefs } from "./commands/db-unload-metadefs.ts";
import { dbUpgrade } from "./commands/db-upgrade.ts";
import { dbVerify } from "./commands/db-verify.ts";
import { dbVersion } from "./commands/db-version.ts";
import { dbVersionControl } from "./commands/db-version-control.ts";
import type { ManageCommand } from "./manage-command.ts";

export const manageCommands: readonly ManageCommand[] = [
  dbBackup,
  dbCheck,
  dbContract,
  dbExpand,
  dbExportMetadefs,
  dbLoadMetadefs,
  dbMigrate,
  dbPlan,
  dbPurge,
  dbPurgeImagesTable,
  dbRestore,
  dbRevert,
  dbSync,
  dbUnloadMetadefs,
  dbUpgrade,
  dbVerify,
  dbVersion,
  dbVersionControl,
];
