// Newton -> Ocata, expand: images.visibility joins images.is_public, and triggers keep the two in step until contract.
// The reference relaxes is_public to NULL, which rebuilds the table on MySQL. Here it stays NOT NULL and gets a default no writer
// gives (2): the INSERT trigger tells by it that the column was left out, and CHECK, which comes after the trigger, never sees it.
import { addColumn, addIndex, createTrigger, dropIndex, dropTriggers } from "../../schema/changes.ts";
import type { LiveSchema } from "../../schema/live-schema.ts";
import type { Change, Changes, ExpandStep } from "../../schema/step.ts";
import { shareProgressName } from "./migrate.ts";
import { imageTriggers, memberTriggers, type TriggerDefinition } from "./triggers.ts";

/** The order of the values is the reference's, and so is what a database compares by. */
export const visibilityEnum = "enum('private','public','shared','community')";

/** An INSERT without is_public passes: by our default, or because the reference made the column nullable. */
function mayBeLeftOut(schema: LiveSchema): boolean {
  const column = schema.column("images", "is_public");
  return column === undefined || column.nullable || column.defaultSql === "2";
}

const allowLeavingOut: Changes = {
  mysql: () => [{ do: "alter", kind: "set_default", table: "images", clause: "ALTER COLUMN is_public SET DEFAULT 2" }],
  sqlite: () => [
    {
      do: "statement",
      kind: "column",
      table: "images",
      sql: "ALTER TABLE images ALTER COLUMN is_public DROP NOT NULL",
    },
  ],
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
  sqlite: () => [
    { do: "statement", kind: "column", table: "images", sql: "ALTER TABLE images ALTER COLUMN is_public SET NOT NULL" },
  ],
};

const triggerStep = (trigger: TriggerDefinition): ExpandStep => ({
  name: `create trigger ${trigger.name} on ${trigger.table}`,
  isApplied: (schema) => schema.hasTrigger(trigger.name),
  changes: createTrigger(trigger.table, { mysql: trigger.mysql, sqlite: [trigger.sqlite] }),
  revert: dropTriggers(trigger.table, { mysql: [trigger.name], sqlite: [trigger.name] }),
  isReverted: (schema) => !schema.hasTrigger(trigger.name),
  mixedFleetOnly: true,
});

/**
 * Members added before these triggers exist reach no visibility. Our own expand makes them before anything can be private, so there
 * is nothing to put right; where another tool expanded, it is noted that the data migration must look once.
 */
const memberTriggerStep = (trigger: TriggerDefinition): ExpandStep => ({
  ...triggerStep(trigger),
  async prepare({ progress, heads }) {
    if (await progress.find(shareProgressName)) return;
    const expandedByOthers = heads.includes("ocata_expand01");
    await progress.save(shareProgressName, { cursor: null, rowsDone: 0, finished: !expandedByOthers });
  },
});

export const expand: readonly ExpandStep[] = [
  {
    name: "add column images.visibility",
    isApplied: (schema) => schema.hasColumn("images", "visibility"),
    isReverted: (schema) => !schema.hasColumn("images", "visibility"),
    changes: addColumn("images", "visibility", { mysql: visibilityEnum, sqlite: "VARCHAR(9)" }),
    revert: {
      mysql: () => [{ do: "alter", kind: "drop_column", table: "images", clause: "DROP COLUMN visibility" }],
      sqlite: () => [
        { do: "statement", kind: "column", table: "images", sql: "ALTER TABLE images DROP COLUMN visibility" },
      ],
    },
  },
  {
    name: "let INSERTs leave out images.is_public",
    isApplied: mayBeLeftOut,
    isReverted: (schema) => !mayBeLeftOut(schema),
    changes: allowLeavingOut,
    revert: requireAgain,
    mixedFleetOnly: true,
  },
  {
    name: "add index visibility_image_idx on images",
    isApplied: (schema) => schema.hasIndex("images", "visibility_image_idx"),
    isReverted: (schema) => !schema.hasIndex("images", "visibility_image_idx"),
    changes: addIndex("images", "visibility_image_idx", ["visibility"]),
    revert: dropIndex("images", "visibility_image_idx"),
  },
  ...imageTriggers.map(triggerStep),
  ...memberTriggers.map(memberTriggerStep),
];
