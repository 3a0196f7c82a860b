// Another process at work on a SQLite file, for tests: does what each line of its standard input says, and answers each with a line.
import { createInterface } from "node:readline";
import Sqlite from "better-sqlite3";

const [path = ""] = process.argv.slice(2);
const db = new Sqlite(path, { timeout: 0 });
process.stdout.write("ready\n");
for await (const sql of createInterface({ input: process.stdin })) {
  try {
    db.exec(sql);
    process.stdout.write("done\n");
  } catch (error) {
    process.stdout.write(`failed ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
db.close();
