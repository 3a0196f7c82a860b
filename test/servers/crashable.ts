// A private server that can be killed with -9 and started again on the files it left, as often as a test likes. Gone, with its folder, with
// the process that started it.
import { eventually } from "./eventually.ts";
import { type Leashed, leash } from "./leash.ts";

export type Crashable = {
  /** Kills it with -9, in the midst of whatever it does. */
  crash(): Promise<void>;
  /** Starts it again on the same files and port, and waits until it answers. */
  restart(): Promise<void>;
  /** Safe to call twice. */
  stop(): Promise<void>;
};

/** `folder` is removed at the end; `command` is run once for each life. Throws with the server's output where it does not come to answer. */
export async function startCrashable(options: {
  name: string;
  folder: string;
  command: readonly string[];
  cwd?: string;
  /** What ends it when it is stopped, as for leash. */
  signal?: "KILL" | "QUIT";
  pidOf: () => number;
  answers: () => Promise<boolean>;
}): Promise<Crashable> {
  const { name, folder, command, cwd, signal = "KILL", pidOf, answers } = options;
  // The folder belongs to a keeper, who does nothing else, because each life of the server ends before the folder does.
  const keeper = leash(["tail", "-f", "/dev/null"], { folder });
  let server: Leashed;
  const start = async () => {
    server = leash(command, { folder: "", signal, ...(cwd === undefined ? {} : { cwd }) });
    const look = async () => (server.exitCode !== undefined ? "ended" : (await answers()) && "answers");
    const state = await eventually(`${name} answers`, look, { msMax: 60_000 });
    if (state === "ended") throw new Error(`${name} did not start:\n${server.output()}`);
  };
  const stop = async () => {
    await server?.stop();
    await keeper.stop();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async crash() {
      process.kill(pidOf(), "SIGKILL");
      await eventually(`${name} is gone`, () => server.exitCode !== undefined);
    },
    restart: start,
    stop,
  };
}
