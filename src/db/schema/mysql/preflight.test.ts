// What is missing is said before anything is touched: privileges, triggers under binary logging, versions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startMariadb } from "../../../../test/servers/mariadb.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import { openDatabase } from "../../connect.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { expand } from "../expand.ts";
import { sync } from "../sync.ts";
import { shapeOf } from "../testing/shape.ts";
import { type Grants, missingPrivileges, parseGrants } from "./grants.ts";
import { algorithmsFor, canSwitchColumns, costOf, parseServerVersion } from "./server.ts";

const ocata = releaseOf("ocata");
const newton = releaseOf("newton");

test("grants: global ones, those of this database and of patterns count; others do not", () => {
  const lines = [
    "GRANT USAGE ON *.* TO `glance`@`%` IDENTIFIED BY PASSWORD '*X'",
    "GRANT SELECT, INSERT ON `glance`.* TO `glance`@`%`",
    "GRANT ALTER ON `gl%`.* TO `glance`@`%`",
    "GRANT CREATE ON `glance\\_x`.* TO `glance`@`%`",
    "GRANT DROP ON `glance`.`images` TO `glance`@`%`",
  ];
  const { all, global } = parseGrants(lines, "glance");
  assert.deepEqual([...all].sort(), ["ALTER", "INSERT", "SELECT", "USAGE"]);
  assert.deepEqual([...global], ["USAGE"]);
  assert(parseGrants(lines, "glance_x").all.has("CREATE"));
  assert(!parseGrants(lines, "glanceyx").all.has("CREATE"));
  const grants: Grants = { user: "glance@%", database: "glance", ...parseGrants(lines, "glance") };
  assert.deepEqual(missingPrivileges(grants, ["SELECT", "TRIGGER"]), ["TRIGGER"]);
  const everything = parseGrants(["GRANT ALL PRIVILEGES ON `glance`.* TO `glance`@`%`"], "glance");
  assert.deepEqual(missingPrivileges({ ...grants, ...everything }, ["SELECT", "TRIGGER"]), []);
  assert(parseGrants(["GRANT `ops` TO `glance`@`%`"], "glance").hasRoles, "a role may bring what is not shown");
});

test("server: versions are read, and what an ALTER costs follows from them", () => {
  const mariadb = parseServerVersion("5.5.5-10.11.19-MariaDB-0+deb12u1");
  assert.deepEqual([mariadb.flavor, mariadb.version], ["mariadb", [10, 11, 19]]);
  assert.deepEqual(algorithmsFor(mariadb, "add_column", false), ["INSTANT", "NOCOPY", "INPLACE"]);
  assert.equal(canSwitchColumns(mariadb), true);
  const old = parseServerVersion("5.5.62-0ubuntu0.14.04.1");
  assert.deepEqual(algorithmsFor(old, "add_index", false), []);
  assert.equal(costOf(old, "add_index"), "copy");
  const faulty = parseServerVersion("8.0.30");
  assert.deepEqual(algorithmsFor(faulty, "add_column", false), ["INPLACE"]);
  assert.deepEqual(algorithmsFor(faulty, "set_default", false), ["INSTANT", "INPLACE"]);
  assert.equal(costOf(faulty, "add_column"), "rebuild");
  assert.equal(costOf(parseServerVersion("8.0.36-0ubuntu0.22.04.1"), "drop_column"), "instant");
  assert.equal(costOf(parseServerVersion("10.3.39-MariaDB"), "drop_column"), "rebuild");
});

if (testDialects.includes("mysql")) {
  test("preflight: a user who may not make triggers or columns is told all at once, and nothing is changed", () =>
    withTestDatabase("mysql", "newton", async ({ db, url }) => {
      const database = new URL(url).pathname.slice(1);
      const before = await shapeOf(db);
      await db.run(`CREATE USER IF NOT EXISTS 'limited_${database}'@'%'`);
      await db.run(
        `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, REFERENCES ON ${database}.* TO 'limited_${database}'@'%'`,
      );
      const limited = await openDatabase(url.replace("//root@", `//limited_${database}@`));
      try {
        await assert.rejects(expand({ db: limited, target: ocata }), {
          code: "schema.preflight_failed",
          message: /lacks ALTER, TRIGGER on database/,
        });
        assert.deepEqual(await shapeOf(db), before);
      } finally {
        await limited.close();
        await db.run(`DROP USER 'limited_${database}'@'%'`);
      }
    }));

  test("preflight: a server that is read-only for this user is refused before anything is tried", async () => {
    const server = await startMariadb({ shared: false });
    const root = await openDatabase(await server.createDatabase("glance"));
    try {
      await sync({ db: root, target: newton });
      await root.run("CREATE USER glance@'%'");
      await root.run("GRANT ALL PRIVILEGES ON glance.* TO glance@'%'");
      await root.run("SET GLOBAL read_only = 1");
      const before = await shapeOf(root);
      const db = await openDatabase(server.url("glance").replace("//root@", "//glance@"));
      try {
        await assert.rejects(expand({ db, target: ocata }), {
          code: "schema.preflight_failed",
          message: /the server is read-only \(read_only\): run this on the primary/,
        });
        assert.deepEqual(await shapeOf(root), before);
        await root.run("SET GLOBAL read_only = 0");
        assert.equal((await expand({ db, target: ocata })).outcome, "expanded");
      } finally {
        await db.close();
      }
    } finally {
      await root.close();
      await server.stop();
    }
  });

  test("preflight: with a binary log triggers need more, or a server that trusts its users", async () => {
    const server = await startMariadb({ args: ["--log-bin=binlog", "--server-id=1"] });
    const root = await openDatabase(await server.createDatabase("glance"));
    try {
      await sync({ db: root, target: newton });
      await root.run("CREATE USER glance@'%'");
      await root.run("GRANT ALL PRIVILEGES ON glance.* TO glance@'%'");
      const db = await openDatabase(server.url("glance").replace("//root@", "//glance@"));
      try {
        const notes: string[] = [];
        const on = (event: { event: string; text?: string }) =>
          event.event === "warning" && notes.push(event.text ?? "");
        await assert.rejects(expand({ db, target: ocata, on }), {
          code: "schema.preflight_failed",
          message: /log_bin_trust_function_creators = 1/,
        });
        assert(notes.some((text) => /lacks PROCESS/.test(text)));
        await root.run("SET GLOBAL log_bin_trust_function_creators = 1");
        assert.equal((await expand({ db, target: ocata })).outcome, "expanded");
      } finally {
        await db.close();
      }
    } finally {
      await root.close();
      await server.stop();
    }
  });
}
