// Newton -> Ocata, contract: what only Newton used goes. The order keeps Ocata's writes whole at every point: CHECK first, so that
// an INSERT without is_public may leave the default 2 behind once the triggers are gone; then the triggers, before the columns they
// read; then visibility, which fails on a NULL while is_public could still tell; and only then is_public.
import {
  dropColumn,
  dropIndex,
  dropTrigger,
  requirePostgresql,
  statement,
  type TriggerDefinition,
} from "../../schema/changes.ts";
import type { FinalStep } from "../../schema/step.ts";
import { visibilityEnum } from "./expand.ts";
import { imageTriggers, memberTriggers } from "./triggers.ts";

const dropTriggerStep = (trigger: TriggerDefinition): FinalStep => ({
  name: `drop trigger ${trigger.name} on ${trigger.table}`,
  isApplied: (schema) => !schema.hasTrigger(trigger.name),
  changes: dropTrigger(trigger),
  leftByOthers: true,
});

const aboutIsPublic = /^CHECK\s*\(\s*is_public\s+IN\s*\(/i;
const definesVisibility = /^"?visibility"?\s/i;

export const contract: readonly FinalStep[] = [
  {
    name: "drop the CHECK on images.is_public",
    isApplied: (schema) => schema.checksOn("images", "is_public").length === 0,
    changes: {
      mysql: (schema) =>
        schema.checksOn("images", "is_public").map((name) => ({
          do: "alter",
          kind: "drop_check",
          table: "images",
          clause: `DROP CONSTRAINT ${name}`,
        })),
      // SQLite's CHECKs have no names and go with the rebuild below; is_public is nullable there, which passes.
      sqlite: () => [],
      // A boolean needs none; what may stand there is the proof of a revert that was begun and not finished.
      postgresql: (schema) =>
        schema
          .checksOn("images", "is_public")
          .map((name) => statement("column", "images", `ALTER TABLE images DROP CONSTRAINT ${name}`)),
    },
  },
  ...[...imageTriggers, ...memberTriggers].map(dropTriggerStep),
  {
    name: "require images.visibility, default shared",
    isApplied: (schema) => {
      const column = schema.column("images", "visibility");
      return column !== undefined && !column.nullable && /^'?shared'?(::|$)/.test(column.defaultSql ?? "");
    },
    changes: {
      mysql: () => [
        {
          do: "require",
          table: "images",
          key: "id",
          column: "visibility",
          definition: `${visibilityEnum} NOT NULL DEFAULT 'shared'`,
        },
      ],
      sqlite: () => [
        {
          do: "rebuild",
          table: "images",
          edit: (definitions) =>
            definitions
              .filter((definition) => !aboutIsPublic.test(definition))
              .map((definition) =>
                definesVisibility.test(definition) ? "visibility VARCHAR(9) DEFAULT 'shared' NOT NULL" : definition,
              ),
        },
      ],
      postgresql: (schema) => [
        ...requirePostgresql(schema, "images", "visibility"),
        statement("column", "images", "ALTER TABLE images ALTER COLUMN visibility SET DEFAULT 'shared'"),
      ],
    },
  },
  {
    name: "drop index ix_images_is_public on images",
    isApplied: (schema) => !schema.hasIndex("images", "ix_images_is_public"),
    changes: dropIndex("images", "ix_images_is_public"),
  },
  {
    name: "drop column images.is_public",
    isApplied: (schema) => !schema.hasColumn("images", "is_public"),
    changes: dropColumn("images", "is_public"),
  },
];
