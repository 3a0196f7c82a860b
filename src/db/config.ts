// Options of section [database] that we read: names and defaults are those of oslo.db, as operators have them in glance-api.conf.
import { optionGroup } from "../core/options.ts";

export const databaseOptions = optionGroup("database", {
  connection: {
    type: "string",
    default: null,
    secret: true,
    deprecated: ["DEFAULT.sql_connection", "DEFAULT.db_connection", "DATABASE.sql_connection", "sql.connection"],
    help: "The database: mysql://user:password@host/glance (MySQL, MariaDB), postgresql://user:password@host/glance or sqlite:////path. SQLAlchemy forms such as mysql+pymysql:// are read.",
  },
  max_pool_size: {
    type: "integer",
    default: 5,
    min: 1,
    max: 1_000,
    deprecated: ["DEFAULT.sql_max_pool_size", "DATABASE.sql_max_pool_size"],
    help: "Connections one process keeps open when they are idle.",
  },
  max_overflow: {
    type: "integer",
    default: 50,
    min: 0,
    max: 1_000,
    deprecated: ["DEFAULT.sql_max_overflow", "DATABASE.sqlalchemy_max_overflow"],
    help: "Connections one process may open beyond max_pool_size under load.",
  },
  pool_timeout: {
    type: "integer",
    default: 30,
    min: 1,
    max: 3_600,
    deprecated: ["DATABASE.sqlalchemy_pool_timeout"],
    help: "Seconds a request waits for a free connection before it fails.",
  },
  connection_recycle_time: {
    type: "integer",
    default: 3_600,
    min: -1,
    max: 31_536_000,
    deprecated: [
      "DATABASE.idle_timeout",
      "database.idle_timeout",
      "DEFAULT.sql_idle_timeout",
      "DATABASE.sql_idle_timeout",
      "sql.idle_timeout",
    ],
    help: "Seconds after which a connection is replaced by a fresh one when it is next idle. -1: never.",
  },
  max_retries: {
    type: "integer",
    default: 10,
    min: -1,
    max: 100_000,
    deprecated: ["DEFAULT.sql_max_retries", "DATABASE.sql_max_retries"],
    help: "How often a starting node tries again to reach the database. -1: without end.",
  },
  retry_interval: {
    type: "integer",
    default: 10,
    min: 1,
    max: 3_600,
    deprecated: ["DEFAULT.sql_retry_interval", "DATABASE.reconnect_interval"],
    help: "Seconds between these tries.",
  },
  mysql_sql_mode: {
    type: "string",
    default: "TRADITIONAL",
    help: "SQL mode of every MySQL connection; empty: the server's own. Anything but a strict mode loses what does not fit a column.",
  },
  sqlite_synchronous: {
    type: "boolean",
    default: true,
    help: "Whether SQLite waits until a commit is on the disk. false is faster, and a power failure may damage the database.",
  },
});

export const locationOptions = optionGroup("DEFAULT", {
  metadata_encryption_key: {
    type: "string",
    default: null,
    secret: true,
    help: "Key of 16, 24 or 32 bytes by which the URLs of locations are encrypted in the database (AES); the same on every node. URLs written without one are read all the same. Unset: they are kept as they are, and a node does not start on a database where they are encrypted.",
  },
});
