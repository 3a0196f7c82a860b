// The triggers of a mixed Newton and Ocata fleet. Newton nodes write images.is_public, Ocata nodes write images.visibility; each
// write of one column sets the other, so that both releases read the truth until contract. The truth tables are the reference's.
import { functionOf, type TriggerDefinition } from "../../schema/changes.ts";

const message = "Invalid visibility value";
const refuse = `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${message}'`;

// `is_public = 2` is what an INSERT that leaves the column out brings (expand.ts); a database expanded by the reference brings NULL.
const insertMysql = `CREATE TRIGGER insert_visibility BEFORE INSERT ON images FOR EACH ROW
BEGIN
  IF NEW.is_public IS NULL OR NEW.is_public = 2 THEN
    IF NEW.visibility IS NULL THEN ${refuse}; END IF;
    SET NEW.is_public = (NEW.visibility = 'public');
  ELSE
    IF NEW.visibility IS NOT NULL THEN ${refuse}; END IF;
    SET NEW.visibility = IF(NEW.is_public, 'public', 'shared');
  END IF;
END`;

// Newton's UPDATEs always carry is_public, mostly with the value it has; only a change of it counts. The server pays for each statement of
// a trigger, so one condition lets through what has nothing to set right: neither column changed, as in nearly every UPDATE, or only
// visibility did and agrees with is_public, as in those of the data migration.
const updateMysql = `CREATE TRIGGER update_visibility BEFORE UPDATE ON images FOR EACH ROW
BEGIN
  IF NOT ((NEW.is_public <=> OLD.is_public)
      AND ((NEW.visibility <=> OLD.visibility) OR (NEW.is_public = (NEW.visibility = 'public')) IS TRUE)) THEN
    IF NOT (NEW.is_public <=> OLD.is_public) THEN
      IF NEW.is_public IS NULL OR NOT (NEW.visibility <=> OLD.visibility) THEN ${refuse}; END IF;
      SET NEW.visibility = IF(NEW.is_public, 'public', 'shared');
    ELSE
      IF NEW.visibility IS NULL THEN ${refuse}; END IF;
      SET NEW.is_public = (NEW.visibility = 'public');
    END IF;
  END IF;
END`;

// SQLite cannot change NEW, so the row is put right after it was written. The first statement refuses what the ENUM of MySQL would.
const refuseSqlite = `SELECT RAISE(ABORT, '${message}')`;
const unknownSqlite = "NEW.visibility NOT IN ('private', 'public', 'shared', 'community')";
const insertSqlite = `CREATE TRIGGER insert_visibility AFTER INSERT ON images FOR EACH ROW
BEGIN
  ${refuseSqlite} WHERE (NEW.is_public IS NULL) = (NEW.visibility IS NULL) OR ${unknownSqlite};
  UPDATE images SET is_public = (NEW.visibility = 'public') WHERE id = NEW.id AND NEW.is_public IS NULL;
  UPDATE images SET visibility = CASE WHEN NEW.is_public THEN 'public' ELSE 'shared' END
    WHERE id = NEW.id AND NEW.visibility IS NULL;
END`;

// The second condition lets the INSERT trigger's own correction pass: is_public comes to agree with a visibility that stays.
const updateSqlite = `CREATE TRIGGER update_visibility AFTER UPDATE OF is_public, visibility ON images FOR EACH ROW
WHEN (NEW.is_public IS NOT OLD.is_public OR NEW.visibility IS NOT OLD.visibility)
  AND NOT (OLD.is_public IS NULL AND NEW.visibility IS OLD.visibility AND NEW.is_public IS (NEW.visibility = 'public'))
BEGIN
  ${refuseSqlite}
    WHERE (NEW.is_public IS NOT OLD.is_public AND (NEW.is_public IS NULL OR NEW.visibility IS NOT OLD.visibility))
    OR (NEW.visibility IS NOT OLD.visibility AND (NEW.visibility IS NULL OR ${unknownSqlite}));
  UPDATE images SET visibility = CASE WHEN NEW.is_public THEN 'public' ELSE 'shared' END
    WHERE id = NEW.id AND NEW.is_public IS NOT OLD.is_public;
  UPDATE images SET is_public = (NEW.visibility = 'public')
    WHERE id = NEW.id AND NEW.visibility IS NOT OLD.visibility;
END`;

/** CREATE OR REPLACE, because another tool's trigger may go by our function's name. */
function postgresql(name: string, body: string, event: string, table: string): readonly string[] {
  const call = `${functionOf(name)}()`;
  return [
    `CREATE OR REPLACE FUNCTION ${call} RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n${body}\n  RETURN NEW;\nEND\n$$`,
    `CREATE TRIGGER ${name} BEFORE ${event} ON ${table} FOR EACH ROW EXECUTE FUNCTION ${call}`,
  ];
}

/** A table that its function names is looked for where ours are, wherever the search_path of the writer leads. */
function pinned([create = "", trigger = ""]: readonly string[], name: string): readonly string[] {
  const pin = `EXECUTE format('ALTER FUNCTION ${functionOf(name)}() SET search_path = %I, pg_temp', current_schema())`;
  return [create, `DO $$ BEGIN ${pin}; END $$`, trigger];
}

const refusePostgresql = `RAISE EXCEPTION '${message}' USING ERRCODE = '45000'`;
const insertPostgresql = `  IF NEW.is_public IS NULL THEN
    IF NEW.visibility IS NULL THEN ${refusePostgresql}; END IF;
    NEW.is_public := NEW.visibility = 'public';
  ELSE
    IF NEW.visibility IS NOT NULL THEN ${refusePostgresql}; END IF;
    NEW.visibility := CASE WHEN NEW.is_public THEN 'public' ELSE 'shared' END;
  END IF;`;
const updatePostgresql = `  IF NEW.is_public IS DISTINCT FROM OLD.is_public THEN
    IF NEW.is_public IS NULL OR NEW.visibility IS DISTINCT FROM OLD.visibility THEN ${refusePostgresql}; END IF;
    NEW.visibility := CASE WHEN NEW.is_public THEN 'public' ELSE 'shared' END;
  ELSIF NEW.visibility IS DISTINCT FROM OLD.visibility THEN
    IF NEW.visibility IS NULL THEN ${refusePostgresql}; END IF;
    NEW.is_public := NEW.visibility = 'public';
  END IF;`;

// A Newton node adds members to any image that is not public, and writes image_members alone. For Ocata nodes only members of
// shared images count, so the image becomes shared. Before the row, not after it: the image is then locked exclusively first, and
// two members added at once wait for each other instead of meeting in a deadlock over the foreign key's shared lock. A row whose
// visibility is still NULL is locked as well (and left as it is): the data migration then sees this member, or comes before it.
// It costs about as much as the member's own row, and nothing cheaper is safe: a plain look at the visibility first reads the snapshot
// of the node's transaction, which may be older than an owner's `private`, and a shared lock is the deadlock again.
const share = `UPDATE images SET visibility = CASE WHEN visibility = 'private' THEN 'shared' ELSE visibility END
    WHERE id = NEW.image_id AND (visibility = 'private' OR visibility IS NULL)`;
const memberInsertMysql = `CREATE TRIGGER perennial_insert_member BEFORE INSERT ON image_members FOR EACH ROW
BEGIN
  IF NEW.deleted = 0 THEN ${share}; END IF;
END`;
// A removed member that is added again is an UPDATE of its old row.
const memberUpdateMysql = `CREATE TRIGGER perennial_update_member BEFORE UPDATE ON image_members FOR EACH ROW
BEGIN
  IF NEW.deleted = 0 AND OLD.deleted <> 0 THEN ${share}; END IF;
END`;

const shareSqlite = "UPDATE images SET visibility = 'shared' WHERE id = NEW.image_id AND visibility = 'private'";
const memberInsertSqlite = `CREATE TRIGGER perennial_insert_member AFTER INSERT ON image_members FOR EACH ROW
WHEN NEW.deleted = 0 BEGIN ${shareSqlite}; END`;
const memberUpdateSqlite = `CREATE TRIGGER perennial_update_member AFTER UPDATE OF deleted ON image_members FOR EACH ROW
WHEN NEW.deleted = 0 AND OLD.deleted <> 0 BEGIN ${shareSqlite}; END`;

/** Of earlier versions of this package, and the reference's two, which are the same in all its releases. */
const known = {
  insert_visibility: { mysql: ["0dcc7eea5ac44e16"] },
  update_visibility: { mysql: ["b78e1a47e514f331", "c24ce9404d12b898"] },
  perennial_insert_member: { mysql: ["987c03b53e2b4fd4"] },
  perennial_update_member: { mysql: ["8b273a8e5d0598f9"] },
} as const;

export const imageTriggers: readonly TriggerDefinition[] = [
  {
    name: "insert_visibility",
    table: "images",
    known: known.insert_visibility,
    sql: {
      mysql: [insertMysql],
      sqlite: [insertSqlite],
      postgresql: postgresql("insert_visibility", insertPostgresql, "INSERT", "images"),
    },
  },
  {
    name: "update_visibility",
    table: "images",
    known: known.update_visibility,
    sql: {
      mysql: [updateMysql],
      sqlite: [updateSqlite],
      postgresql: postgresql("update_visibility", updatePostgresql, "UPDATE", "images"),
    },
  },
];

const memberInsertPostgresql = `  IF NOT NEW.deleted THEN ${share}; END IF;`;
const memberUpdatePostgresql = `  IF NOT NEW.deleted AND OLD.deleted THEN ${share}; END IF;`;

const memberPostgresql = (name: string, body: string, event: string) =>
  pinned(postgresql(name, body, event, "image_members"), name);

export const memberTriggers: readonly TriggerDefinition[] = [
  {
    name: "perennial_insert_member",
    table: "image_members",
    known: known.perennial_insert_member,
    sql: {
      mysql: [memberInsertMysql],
      sqlite: [memberInsertSqlite],
      postgresql: memberPostgresql("perennial_insert_member", memberInsertPostgresql, "INSERT"),
    },
  },
  {
    name: "perennial_update_member",
    table: "image_members",
    known: known.perennial_update_member,
    sql: {
      mysql: [memberUpdateMysql],
      sqlite: [memberUpdateSqlite],
      postgresql: memberPostgresql("perennial_update_member", memberUpdatePostgresql, "UPDATE"),
    },
  },
];
