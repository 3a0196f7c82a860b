// The command `glance-cache-manage`: what is in a node's image cache and its queue, over HTTP, with the reference's subcommands and options.
import { Command, CommanderError, Option } from "commander";
import { packageVersion } from "../core/package-version.ts";
import { askYesNo, hasTerminal } from "./ask.ts";
import { type CacheClient, createCacheClient, fetchToken } from "./cache-client.ts";
import { ClientFailure } from "./client-failure.ts";
import { exitCodes } from "./exit-codes.ts";
import { textTable } from "./text-table.ts";

const helpAfter = `
Examples:
  glance-cache-manage --host node-1 list-cached
  glance-cache-manage -H https://node-1:9292 -f queue-image 7c3b5d0e-98a1-4c1c-9f0a-1f0d3c6a2b11
  OS_AUTH_URL=https://keystone:5000 OS_USERNAME=admin OS_PASSWORD=... OS_PROJECT_NAME=admin glance-cache-manage list-queued --json

The node needs image_cache_dir and a flavor with cachemanagement.

Exit codes:
  0 done   1 failed, or you said no   2 wrong command line
`;

type Options = {
  readonly host: string;
  readonly port: string;
  readonly insecure?: true;
  readonly osAuthToken?: string;
  readonly osUsername?: string;
  readonly osPassword?: string;
  readonly osProjectName?: string;
  readonly osProjectId?: string;
  readonly osAuthUrl?: string;
  readonly osUserDomainName: string;
  readonly osProjectDomainName: string;
  readonly force?: true;
  readonly json?: true;
};

type Print = (json: object, text: string) => void;
type Work = (client: CacheClient, print: Print, imageId: string) => Promise<void>;

type Cached = {
  readonly image_id: string;
  readonly last_accessed: number;
  readonly last_modified: number;
  readonly size: number;
  readonly hits: number;
};

const timeOf = (seconds: number) =>
  seconds > 0 ? new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") : "N/A";

async function listCached(client: CacheClient, print: Print): Promise<void> {
  const answer = (await client.ask("GET", "/cached_images")) as { cached_images: readonly Cached[] };
  const rows = answer.cached_images.map((image) => [
    image.image_id,
    timeOf(image.last_accessed),
    timeOf(image.last_modified),
    String(image.size),
    String(image.hits),
  ]);
  const table = textTable([["ID", "Last Accessed (UTC)", "Last Modified (UTC)", "Size", "Hits"], ...rows]);
  print(answer, rows.length === 0 ? "No cached images." : [`Found ${rows.length} cached images:`, ...table].join("\n"));
}

async function listQueued(client: CacheClient, print: Print): Promise<void> {
  const answer = (await client.ask("GET", "/queued_images")) as { queued_images: readonly string[] };
  const { queued_images: ids } = answer;
  print(answer, ids.length === 0 ? "No queued images." : [`Found ${ids.length} queued images:`, ...ids].join("\n"));
}

/** One image: put into, or taken out of, the collection. */
function one(method: "PUT" | "DELETE", path: string, done: string): Work {
  return async (client, print, imageId) => {
    await client.ask(method, `${path}/${imageId}`);
    print({ image_id: imageId }, `${done} ${imageId}.`);
  };
}

function all(path: string, what: string): Work {
  return async (client, print) => {
    const answer = (await client.ask("DELETE", path)) as { num_deleted: number };
    print(answer, `Deleted ${answer.num_deleted} ${what} images.`);
  };
}

/** `question`: asked before anything is done, unless --force is given. */
type Subcommand = {
  readonly summary: string;
  readonly takesImage: boolean;
  readonly question?: string;
  readonly work: Work;
};

const subcommands: Readonly<Record<string, Subcommand>> = {
  "list-cached": { summary: "List the images in the cache.", takesImage: false, work: listCached },
  "list-queued": { summary: "List the images that are queued for it.", takesImage: false, work: listQueued },
  "queue-image": {
    summary: "Queue an image: the node, or glance-cache-prefetcher, fetches it.",
    takesImage: true,
    question: "Queue image for caching?",
    work: one("PUT", "/queued_images", "Queued image"),
  },
  "delete-cached-image": {
    summary: "Take an image out of the cache.",
    takesImage: true,
    question: "Delete cached image?",
    work: one("DELETE", "/cached_images", "Deleted cached image"),
  },
  "delete-all-cached-images": {
    summary: "Empty the cache.",
    takesImage: false,
    question: "Delete all cached images?",
    work: all("/cached_images", "cached"),
  },
  "delete-queued-image": {
    summary: "Take an image out of the queue.",
    takesImage: true,
    question: "Delete queued image?",
    work: one("DELETE", "/queued_images", "Deleted queued image"),
  },
  "delete-all-queued-images": {
    summary: "Empty the queue.",
    takesImage: false,
    question: "Delete all queued images?",
    work: all("/queued_images", "queued"),
  },
};

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

async function run({ takesImage, question, work }: Subcommand, imageId: string, options: Options): Promise<void> {
  if (takesImage && !uuid.test(imageId)) throw new ClientFailure(`"${imageId}" is not the id of an image (a UUID)`);
  if (question && !options.force) {
    if (!hasTerminal()) throw new ClientFailure("there is no terminal to ask at: give --force to do it without asking");
    const asked = takesImage ? `${imageId}: ${question}` : question;
    if (!(await askYesNo(asked, new AbortController().signal))) throw new ClientFailure("nothing was done");
  }
  const insecure = options.insecure === true;
  const client = createCacheClient(endpointOf(options), await tokenOf(options, insecure), insecure);
  const print: Print = (json, text) => process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : `${text}\n`);
  await work(client, print, imageId);
}

/** A host may also be a whole URL, for nodes behind TLS. */
function endpointOf({ host, port }: Options): string {
  if (/^https?:\/\//i.test(host)) return host.replace(/\/+$/, "");
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function tokenOf(options: Options, insecure: boolean): Promise<string | null> {
  if (options.osAuthToken) return options.osAuthToken;
  const { osAuthUrl: authUrl, osUsername: username, osPassword: password } = options;
  if (!authUrl || !username || !password) return null;
  const { osProjectId, osProjectName } = options;
  if (!osProjectId && !osProjectName)
    throw new ClientFailure("a token is for a project: give --os-project-name or --os-project-id");
  const project = osProjectId ? { id: osProjectId } : { name: osProjectName ?? "" };
  const domains = { userDomain: options.osUserDomainName, projectDomain: options.osProjectDomainName };
  return fetchToken({ authUrl, username, password, project, ...domains }, insecure);
}

function build(onRun: (subcommand: Subcommand, imageId: string) => void): Command {
  const program = new Command("glance-cache-manage")
    .description("Shows and changes what is in a node's image cache, and what is queued for it.")
    .version(`glance-cache-manage (perennial) ${packageVersion()}`)
    .option("-H, --host <host>", "address of the node, or its URL", "0.0.0.0")
    .option("-p, --port <port>", "port of the node", "9292")
    .option("-k, --insecure", "take certificates that do not verify")
    .option("-f, --force", "do not ask")
    .option("--json", "print one JSON object instead")
    .addOption(new Option("-A, --os-auth-token <token>", "token to use").env("OS_AUTH_TOKEN"))
    .addHelpText("after", helpAfter)
    .exitOverride();
  const named: readonly (readonly [flags: string, what: string, env: string, usual?: string])[] = [
    ["--os-username <name>", "user", "OS_USERNAME"],
    ["--os-password <password>", "the user's password", "OS_PASSWORD"],
    ["--os-project-name <name>", "project of the token", "OS_PROJECT_NAME"],
    ["--os-project-id <id>", "the same by its id", "OS_PROJECT_ID"],
    ["--os-user-domain-name <name>", "domain of the user", "OS_USER_DOMAIN_NAME", "Default"],
    ["--os-project-domain-name <name>", "domain of the project", "OS_PROJECT_DOMAIN_NAME", "Default"],
    ["--os-auth-url <url>", "Keystone", "OS_AUTH_URL"],
  ];
  for (const [flags, what, env, usual] of named) program.addOption(new Option(flags, what).env(env).default(usual));
  for (const flags of ["-S, --os-auth-strategy <strategy>", "--os-region-name <name>", "-v, --verbose", "-d, --debug"])
    program.addOption(new Option(flags, "taken as by the reference, without effect").hideHelp());
  for (const [name, subcommand] of Object.entries(subcommands)) {
    const command = program.command(name).description(subcommand.summary).exitOverride();
    if (subcommand.takesImage) command.argument("<image-id>");
    command.action((first: unknown) => onRun(subcommand, typeof first === "string" ? first : ""));
  }
  return program;
}

async function main(): Promise<number> {
  let chosen: { subcommand: Subcommand; imageId: string } | undefined;
  const program = build((subcommand, imageId) => {
    chosen = { subcommand, imageId };
  });
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  if (!chosen) return exitCodes.usage;
  try {
    await run(chosen.subcommand, chosen.imageId, program.opts<Options>());
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error;
    process.stderr.write(`glance-cache-manage: ${error.message}\n`);
    return exitCodes.failed;
  }
}

process.exitCode = await main();
