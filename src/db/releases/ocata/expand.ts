// Newton -> Ocata, expand: images.visibility joins images.is_public, and triggers keep the two in step until contract.
// The reference relaxes is_public to NULL, which rebuilds the table on MySQL. Here it stays NOT NULL and gets a default no writer
// gives (2): the INSERT trigger tells by it that the column was left out, and CHECK, which comes after the trigger, never sees it.
import {
  createTrigger,
  dropColumn,
  dropTrigger,
  requirePostgresql,
  statement,
  type TriggerDefinition,
} from "../../schema/changes.ts";
import { columnStep, indexStep } from "../../schema/column-step.ts";
import { triggerDifference } from "../../schema/definitions.ts";
import type { LiveSchema } from "../../schema/live-schema.ts";
import type { Change, Changes, ExpandStep } from "../../schema/step.ts";
import { shareProgressName } from "./migrate.ts";
import { imageTriggers, memberTriggers } from "./triggers.ts";

/** The order of the values is the reference's, and so is what a database compares by. */
const visibilities = "('private','public','shared','community')";
export const visibilityEnum = `enum${visibilities}`;

/** An INSERT without is_public passes: by our default, or because the reference made the column nullable. */
function mayBeLeftOut(schema: LiveSchema): boolean {
  const column = schema.column("images", "is_public");
  return column === undefined || column.nullable || column.defaultSql === "2";
}

const letNull = () => [statement("column", "images", "ALTER TABLE images ALTER COLUMN is_public DROP NOT NULL")];
const allowLeavingOut: Changes = {
  mysql: () => [{ do: "alter", kind: "set_default", table: "images", clause: "ALTER COLUMN is_public SET DEFAULT 2" }],
  sqlite: letNull,
  postgresql: letNull,
};

const requireAgain: Changes = {
  mysql: (schema) => {
    const column = schema.column("images", "is_public");
    const changes: Change[] = [];
    if (column?.defaultSql === "2")
      changes.push({
        do: "alter",
        kind: "drop_default",
        table: "images",
        clause: "ALTER COLUMN is_public DROP DEFAULT",
      });
    if (column?.nullable)
      changes.push({
        do: "require",
        table: "images",
        key: "id",
        column: "is_public",
        definition: "tinyint(1) NOT NULL",
      });
    return changes;
  },
  sqlite: () => [statement("column", "images", "ALTER TABLE images ALTER COLUMN is_public SET NOT NULL")],
  postgresql: (schema) => requirePostgresql(schema, "images", "is_public"),
};

const triggerStep = (trigger: TriggerDefinition): ExpandStep => ({
  name: `create trigger ${trigger.name} on ${trigger.table}`,
  isApplied: (schema) => schema.hasTrigger(trigger.name),
  changes: createTrigger(trigger),
  revert: dropTrigger(trigger),
  isReverted: (schema) => !schema.hasTrigger(trigger.name),
  difference: (schema, dialect) => triggerDifference(schema, dialect, trigger),
  mixedFleetOnly: true,
});

/**
 * Members added before these triggers exist reach no visibility. Our own expand makes them before anything can be private, so there
 * is nothing to put right; where another tool expanded, it is noted that the data migration must look once.
 */
const memberTriggerStep = (trigger: TriggerDefinition): ExpandStep => ({
  ...triggerStep(trigger),
  async prepare({ progress, expandedByOthers }) {
    if (await progress.find(shareProgressName)) return;
    await progress.save(shareProgressName, { cursor: null, rowsDone: 0, finished: !expandedByOthers });
  },
});

// PostgreSQL has no CREATE TYPE IF NOT EXISTS, and a killed run may have left the type without its column.
const createType = `DO $$ BEGIN CREATE TYPE image_visibility AS ENUM ${visibilities};
EXCEPTION WHEN duplicate_object THEN NULL; END $$`;

const visibilityColumn = columnStep("images", "visibility", {
  mysql: `${visibilityEnum} NULL`,
  sqlite: "VARCHAR(9)",
  postgresql: "image_visibility",
});

const addVisibility: ExpandStep = {
  ...visibilityColumn,
  changes: {
    ...visibilityColumn.changes,
    postgresql: (schema) => [statement("type", "images", createType), ...visibilityColumn.changes.postgresql(schema)],
  },
  revert: {
    ...dropColumn("images", "visibility"),
    postgresql: (schema) => [
      ...dropColumn("images", "visibility").postgresql(schema),
      statement("type", "images", "DROP TYPE IF EXISTS image_visibility"),
    ],
  },
};

export const expand: readonly ExpandStep[] = [
  addVisibility,
  {
    name: "let INSERTs leave out images.is_public",
    isApplied: mayBeLeftOut,
    isReverted: (schema) => !mayBeLeftOut(schema),
    changes: allowLeavingOut,
    revert: requireAgain,
    mixedFleetOnly: true,
  },
  indexStep("images", "visibility_image_idx", ["visibility"]),
  ...imageTriggers.map(triggerStep),
  ...memberTriggers.map(memberTriggerStep),
];
