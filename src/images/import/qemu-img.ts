// The program qemu-img, as one conversion needs it: it is told both formats, never asked to guess one, and ends with whoever started it.
import { spawn } from "node:child_process";
import { ServiceError } from "../../core/errors.ts";
import type { FormatName } from "../../formats/probe.ts";
import { leashed } from "./leashed.ts";

const program = "qemu-img";
const errorCharsMax = 2_000;

/** Formats it reads for us, by our names; the others are passed on as they are, or refused. */
const readable = {
  raw: "raw",
  qcow2: "qcow2",
  vhd: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
  vdi: "vdi",
} as const satisfies Partial<Record<FormatName | "raw", string>>;

export type ReadableFormat = keyof typeof readable;

export const isReadable = (format: string): format is ReadableFormat => Object.hasOwn(readable, format);

export const writable = ["raw", "qcow2", "vmdk"] as const;
export type WritableFormat = (typeof writable)[number];

export type Conversion = {
  /** Absolute paths: these can be taken for nothing but files. */
  readonly source: { readonly path: string; readonly format: ReadableFormat };
  readonly target: { readonly path: string; readonly format: WritableFormat };
  /** Ends the program. */
  readonly signal: AbortSignal;
};

/** When it resolves or rejects, the program has ended. Throws images.unfit_data, stores.full, the signal's reason. */
export async function convert({ source, target, signal }: Conversion): Promise<void> {
  // What is written is read again at once, and gone soon: it need not be safe from power failures.
  const args = [
    "convert",
    "-t",
    "unsafe",
    "-f",
    readable[source.format],
    "-O",
    target.format,
    source.path,
    target.path,
  ];
  const { code, errors } = await run(args, signal);
  signal.throwIfAborted();
  if (code === 0) return;
  const facts = { code, errors };
  if (/No space left|quota exceeded|File too large/i.test(errors))
    throw new ServiceError("stores.full", "The folder of staged data has no room for the converted data.", { facts });
  throw new ServiceError(
    "images.unfit_data",
    `The data could not be converted from ${source.format} to ${target.format}.`,
    { facts },
  );
}

/** Throws config.invalid where the program is not there. */
export async function requireQemuImg(): Promise<void> {
  const found = await run(["--version"], new AbortController().signal).then(
    ({ code }) => code === 0,
    () => false,
  );
  if (!found)
    throw new ServiceError(
      "config.invalid",
      "[image_import_opts] image_import_plugins names image_conversion, which needs the program qemu-img: install it (package qemu-utils), or take the name out.",
      { facts: { section: "image_import_opts", option: "image_import_plugins" } },
    );
}

function run(args: readonly string[], signal: AbortSignal): Promise<{ code: number; errors: string }> {
  signal.throwIfAborted();
  const { command, args: words } = leashed(program, args);
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
    const child = spawn(command, words, { cwd: "/", env, stdio: ["ignore", "ignore", "pipe"] });
    const stop = () => void child.kill("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-errorCharsMax);
    });
    child.once("error", (error) => {
      signal.removeEventListener("abort", stop);
      reject(error);
    });
    child.once("close", (code) => {
      signal.removeEventListener("abort", stop);
      resolve({ code: code ?? -1, errors });
    });
  });
}
