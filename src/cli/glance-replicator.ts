// The command `glance-replicator`: compares image services, and copies their images into each other or into a folder and back.
import { Command, CommanderError, Option } from "commander";
import { packageVersion } from "../core/package-version.ts";
import { ClientFailure } from "./client-failure.ts";
import { exitCodes } from "./exit-codes.ts";
import { type Compared, compare, copy, dump, type Replication, size } from "./replication/commands.ts";
import { ImageDump } from "./replication/image-dump.ts";
import { dontReplicateDefault, labelOf } from "./replication/image-record.ts";
import { ImageServer } from "./replication/image-server.ts";
import { bytesText, ReplicationOutput } from "./replication/replication-output.ts";

const name = "glance-replicator";
const helpAfter = `
A server is host:port, or a URL such as https://images.example.org:9292. Whoever the token is of has to see all images, and the
target's has to be an admin's, for images keep their owners.

Examples:
  ${name} --sourcetoken TOKEN --targettoken TOKEN compare old:9292 new:9292
  ${name} -s TOKEN --targettoken TOKEN livecopy old:9292 https://new:9292
  ${name} -t TOKEN dump old:9292 /srv/images
  ${name} -t TOKEN load new:9292 /srv/images
  ${name} -t TOKEN --json size old:9292

Run it again where it was stopped: it goes on with what is missing.

Exit codes:
  0 done   1 failed, or an image was not copied; compare: there are differences   2 wrong command line
`;

type Options = {
  readonly metaonly?: true;
  readonly dontreplicate: string;
  readonly token?: string;
  readonly sourcetoken?: string;
  readonly mastertoken?: string;
  readonly targettoken?: string;
  readonly slavetoken?: string;
  readonly insecure?: true;
  readonly debug?: true;
  readonly verbose?: true;
  readonly json?: true;
};

/** What a command needs; servers are closed when it is done. */
type Context = Replication & {
  readonly json: boolean;
  source(address: string): ImageServer;
  target(address: string): ImageServer;
};
type Work = (context: Context, first: string, second: string) => Promise<number>;

const done = ({ output }: Context) => (output.failures > 0 ? exitCodes.failed : exitCodes.ok);

const subcommands: Readonly<
  Record<string, { readonly summary: string; readonly args: readonly string[]; readonly work: Work }>
> = {
  compare: {
    summary: "What the target lacks, or has otherwise.",
    args: ["<fromserver:port>", "<toserver:port>"],
    async work(context, from, to) {
      const found: Compared[] = [];
      for await (const one of compare(context.source(from), context.target(to), context.left)) {
        if (!context.json) for (const line of comparedLines(one)) context.output.line(line);
        found.push(one);
      }
      if (context.json) context.output.line(JSON.stringify({ differences: found.map(comparedFacts) }));
      return found.length > 0 ? exitCodes.failed : exitCodes.ok;
    },
  },
  dump: {
    summary: "Copy all images into a folder.",
    args: ["<server:port>", "<path>"],
    async work(context, server, path) {
      await dump(context.source(server), new ImageDump(path), context);
      return done(context);
    },
  },
  livecopy: {
    summary: "Copy all images of one service into another.",
    args: ["<fromserver:port>", "<toserver:port>"],
    async work(context, from, to) {
      await copy(context.source(from), context.target(to), context);
      return done(context);
    },
  },
  load: {
    summary: "Copy all images of a folder into a service.",
    args: ["<server:port>", "<path>"],
    async work(context, server, path) {
      await copy(new ImageDump(path), context.target(server), context);
      return done(context);
    },
  },
  size: {
    summary: "How large a dump would be.",
    args: ["<server:port>"],
    async work(context, server) {
      const { images, bytes } = await size(context.source(server));
      const text = `Total size is ${bytes} bytes (${bytesText(bytes)}) across ${images} images`;
      context.output.line(context.json ? JSON.stringify({ images, bytes }) : text);
      return exitCodes.ok;
    },
  },
};

function comparedLines({ image, missing, fields }: Compared): readonly string[] {
  if (missing) return [`${labelOf(image)}: the target has no such image`];
  return fields.map(
    ({ field, source, target }) =>
      `${labelOf(image)}: ${field} differs: source ${JSON.stringify(source)}, target ${JSON.stringify(target ?? null)}`,
  );
}

function comparedFacts({ image, missing, fields }: Compared): object {
  return { image_id: image.id, missing, fields };
}

type Chosen = { readonly work: Work; readonly args: readonly string[] };

function build(choose: (chosen: Chosen) => void): Command {
  const program = new Command(name)
    .description("Compares image services, and copies their images, by version 2 of the API.")
    .version(`${name} (perennial) ${packageVersion()}`)
    .option("-m, --metaonly", "metadata alone: nothing is made that is not there, and no data copied")
    .option("-D, --dontreplicate <fields>", "fields to leave as they are, separated by blanks", dontReplicateDefault)
    .addOption(new Option("-t, --token <token>", "token for both sides").env("OS_AUTH_TOKEN"))
    .option("-s, --sourcetoken <token>", "token for the side that is read")
    .option("--targettoken <token>", "token for the side that is written")
    .option("-k, --insecure", "take certificates that do not verify")
    .option("-v, --verbose", "name the images that are there already, too")
    .option("-d, --debug", "name every request")
    .option("--json", "compare and size: print one JSON object")
    .addHelpText("after", helpAfter)
    .exitOverride();
  for (const older of ["-M, --mastertoken <token>", "-S, --slavetoken <token>", "-c, --chunksize <bytes>"])
    program.addOption(new Option(older, "older names, and what has no effect").hideHelp());
  for (const [title, { summary, args, work }] of Object.entries(subcommands)) {
    const command = program.command(title).description(summary).allowExcessArguments(false).exitOverride();
    for (const arg of args) command.argument(arg);
    command.action((...given: unknown[]) => choose({ work, args: given.filter((one) => typeof one === "string") }));
  }
  return program;
}

async function main(): Promise<number> {
  let chosen: Chosen | undefined;
  const program = build((one) => {
    chosen = one;
  });
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return chosen ? execute(chosen, program.opts<Options>()) : exitCodes.usage;
}

async function execute({ work, args: [first = "", second = ""] }: Chosen, options: Options): Promise<number> {
  const output = new ReplicationOutput({ verbose: options.verbose ?? options.debug ?? false });
  const signal = stopSignal();
  const servers: ImageServer[] = [];
  const open = (address: string, token: string | undefined) => {
    const debug = (line: string) => void (options.debug && process.stderr.write(`${line}\n`));
    const server = new ImageServer({
      address,
      token: token ?? null,
      insecure: options.insecure ?? false,
      signal,
      debug,
    });
    servers.push(server);
    return server;
  };
  try {
    const context: Context = {
      output,
      left: new Set(options.dontreplicate.split(/\s+/)),
      metaOnly: options.metaonly ?? false,
      signal,
      json: options.json ?? false,
      source: (address) => open(address, options.sourcetoken ?? options.mastertoken ?? options.token),
      target: (address) => open(address, options.targettoken ?? options.slavetoken ?? options.token),
    };
    return await work(context, first, second);
  } catch (error) {
    const failure: unknown = signal.aborted ? signal.reason : error;
    if (!(failure instanceof ClientFailure)) throw failure;
    output.failure(failure.message);
    return exitCodes.failed;
  } finally {
    output.end();
    await Promise.all(servers.map((server) => server.close()));
  }
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => controller.abort(new ClientFailure(`stopped by ${signal}; run it again to go on`)));
  return controller.signal;
}

process.exitCode = await main();
