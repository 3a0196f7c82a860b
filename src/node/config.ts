// Options of glance-api.conf that the node process reads: where it listens, how it leaves, how it is known to the fleet.
import { optionGroup } from "../core/options.ts";
import { newestRelease, releaseIds } from "../releases/catalogue.ts";

export const listenOptions = optionGroup("DEFAULT", {
  bind_host: {
    type: "string",
    default: "0.0.0.0",
    help: "Address to listen on, or a name that resolves to it. With socket activation (LISTEN_FDS) the socket handed over is used instead.",
  },
  bind_port: {
    type: "integer",
    default: 9292,
    min: 1,
    max: 65_535,
    deprecated: ["DEFAULT.port"],
    help: "Port to listen on.",
  },
  workers: {
    type: "integer",
    default: null,
    min: 0,
    max: 256,
    help: "Worker processes that serve requests. Unset: one per CPU, 8 at most. 0: one worker.",
  },
  backlog: {
    type: "integer",
    default: 4096,
    min: 1,
    max: 65_535,
    help: "Connections the kernel holds until a worker accepts them.",
  },
  tcp_keepidle: {
    type: "integer",
    default: 600,
    min: 1,
    max: 86_400,
    help: "Seconds a connection is silent before the kernel asks whether the other side is still there.",
  },
  http_keepalive: {
    type: "boolean",
    default: true,
    help: "Let clients send several requests over one connection.",
  },
  client_socket_timeout: {
    type: "integer",
    default: 900,
    min: 0,
    max: 86_400,
    help: "Seconds without a byte after which a client's connection is closed, in mid-transfer or between requests. 0: never.",
  },
  max_header_line: {
    type: "integer",
    default: 16_384,
    min: 1024,
    max: 1_048_576,
    help: "Bytes the headers of a request may have.",
  },
});

export const logOptions = optionGroup("DEFAULT", {
  debug: { type: "boolean", default: false, help: "Log at debug level, and show stack traces of failed commands." },
  log_file: {
    type: "string",
    default: null,
    deprecated: ["DEFAULT.logfile"],
    help: "File to append the log to instead of standard error. Relative to log_dir where that is set. Reopened at SIGUSR1.",
  },
  log_dir: { type: "string", default: null, deprecated: ["DEFAULT.logdir"], help: "Folder of log_file." },
});

export const nodeOptions = optionGroup("perennial", {
  release: {
    type: "string",
    default: newestRelease.id,
    choices: releaseIds,
    help: "The release this node speaks, to clients and to the database, whatever version of the package is installed.",
  },
  node_name: {
    type: "string",
    default: null,
    help: "Name of this node in the registry, one of its own in the fleet. Unset: host name and port.",
  },
  pid_file: {
    type: "string",
    default: null,
    help: "File that holds the supervisor's process id while it runs.",
  },
  handover_command: {
    type: "string",
    default: null,
    help: "Command line of the process that takes over at SIGUSR2, split at blanks outside of double quotes. Unset: the one this process was started with.",
  },
  handover_deadline_seconds: {
    type: "number",
    default: 120,
    min: 0.1,
    max: 3600,
    help: "Seconds a process that takes over may take until it could serve; a slower one is ended, and the running one goes on.",
  },
  heartbeat_seconds: {
    type: "number",
    default: 5,
    min: 0.1,
    max: 10,
    help: "Seconds between two heartbeats in the registry. A node of which none was seen for 30 seconds counts as gone.",
  },
  upload_lease_seconds: {
    type: "integer",
    default: 60,
    min: 2,
    max: 3600,
    help: "Seconds after the death of a process until an upload it held is given up and its image is queued again.",
  },
  drain_settle_seconds: {
    type: "number",
    default: 10,
    min: 0,
    max: 3600,
    help: "Seconds a stopping node goes on accepting connections while its health check already fails: longer than balancers take to notice.",
  },
  drain_deadline_seconds: {
    type: "number",
    default: 0,
    min: 0,
    max: 2_592_000,
    help: "Seconds a stopping node waits for transfers, counted from the closing of its socket, before it cuts them. 0: as long as they take.",
  },
});

/** Every configuration of Glance has them. They are declared so that nobody is warned of them at each start. */
const lockOptions = optionGroup("oslo_concurrency", {
  lock_path: {
    type: "string",
    default: null,
    deprecated: ["DEFAULT.lock_path"],
    help: "Known, and without effect: nodes of ours lock in the database, and keep no lock files.",
  },
  disable_process_locking: {
    type: "boolean",
    default: false,
    deprecated: ["DEFAULT.disable_process_locking"],
    help: "Known, and without effect, as lock_path.",
  },
});

export const nodeOptionGroups = [listenOptions, logOptions, nodeOptions, lockOptions] as const;
