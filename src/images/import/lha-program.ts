// The program lha (Debian's package lhasa) as a filter: packed data in, unpacked data out. It is given an archive that is made here around
// the packed data, so that no name or header of a stranger's reaches it, and it writes no file.
import { spawn } from "node:child_process";
import { pipeline } from "node:stream/promises";
import { ServiceError } from "../../core/errors.ts";
import { brokenArchive } from "./broken-archive.ts";
import { leashed, missingCode } from "./leashed.ts";
import type { LhaFile } from "./lha.ts";

/** Print to standard output, without a word of one's own, what the archive on standard input holds. */
const printing = ["pq2", "-"];
const headerBytes = 25;

/**
 * When it is done, given up or has failed, the program has ended. Whether it is all of the file, and the right one, has to be checked: the
 * program does not tell. Throws images.unfit_data, what `packed` throws, the signal's reason.
 */
export async function* unpackedByLha(
  file: LhaFile,
  packed: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const { command, args } = leashed("lha", printing);
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  const child = spawn(command, args, { cwd: "/", env, stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(missingCode)).once("close", resolve);
  });
  const stop = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  const given = { whole: false, failure: undefined as unknown };
  async function* archive(): AsyncGenerator<Buffer> {
    try {
      yield headerOf(file);
      yield* packed;
      yield Buffer.alloc(1);
      given.whole = true;
    } catch (error) {
      given.failure = error;
      stop();
    }
  }
  // That the program takes no more shows in how it ends.
  pipeline(archive, child.stdin).catch(() => undefined);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await ended;
    signal.throwIfAborted();
    if (given.failure !== undefined) throw given.failure;
    if (code === missingCode) throw missing();
    if (!given.whole || code !== 0) throw brokenArchive("it cannot be unpacked");
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await ended;
  }
}

/** Of level 0, with a name of one letter. */
function headerOf({ method, packedBytes, unpackedBytes, check }: LhaFile): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(headerBytes - 2, 0);
  header.write(method, 2, "latin1");
  header.writeUInt32LE(packedBytes, 7);
  header.writeUInt32LE(unpackedBytes, 11);
  header.writeUInt8(0x20, 19);
  header.writeUInt8(1, 21);
  header.write("f", 22, "latin1");
  header.writeUInt16LE(check, 23);
  header.writeUInt8(
    header.subarray(2).reduce((sum, byte) => (sum + byte) & 0xff, 0),
    1,
  );
  return header;
}

function missing(): ServiceError {
  return new ServiceError(
    "images.unfit_data",
    "The data is an lha archive, and the node cannot unpack it: the program lha is not installed there (package lhasa).",
  );
}
