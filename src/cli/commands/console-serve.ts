// Puts a console together: its options as the command line has them, the page, the token, past rollouts, and the server.

import { readFileSync, statSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import { LiveDesk } from "../../console/live-desk.ts";
import { findPage } from "../../console/page-folder.ts";
import { isLoopback, tokenCharactersMin } from "../../console/security.ts";
import { systemClock } from "../../core/clock.ts";
import { errorText, ServiceError } from "../../core/errors.ts";
import { packageRoot } from "../../core/package-files.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { consoleActs } from "./console-acts.ts";
import { pastRollouts } from "./console-past.ts";
import { watchFleet } from "./console-watch.ts";
import { databaseOf } from "./rollout-parts.ts";

export type Listen = { readonly host: string; readonly port: number };
export type ControlFlags = { readonly allowControl?: true; readonly tokenFile?: string };

const defaultListen: Listen = { host: "127.0.0.1", port: 9293 };

export function listenOption(): Option {
  return new Option("--listen <host:port>", "address of the console; port 0 takes any that is free")
    .default(defaultListen, "127.0.0.1:9293")
    .argParser(parseListen);
}

function parseListen(text: string): Listen {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw new InvalidArgumentError("HOST:PORT is expected");
  if (host === "0.0.0.0" || host === "::")
    throw new InvalidArgumentError("name one address: a browser asks by it, and other names are refused");
  return { host, port: Number(port) };
}

/** The token, or undefined where no orders are taken. Throws console.token_unusable. */
function readToken({ allowControl, tokenFile }: ControlFlags, at: Listen): string | undefined {
  if (!allowControl) return undefined;
  if (tokenFile === undefined) throw unusable("--allow-control needs --token-file FILE");
  // What is sent to another address goes over the network as it is.
  if (!isLoopback(at.host))
    throw unusable("orders are taken on a loopback address only; reach it with: ssh -L 9293:127.0.0.1:9293 HOST");
  let token: string;
  try {
    if ((statSync(tokenFile).mode & 0o077) !== 0) throw new Error("others may read it; chmod 600 it");
    token = readFileSync(tokenFile, "utf8").trim();
  } catch (error) {
    throw unusable(`the token file ${tokenFile} cannot be used: ${errorText(error)}`, error);
  }
  if (token.length < tokenCharactersMin)
    throw unusable(
      `the token in ${tokenFile} is shorter than ${tokenCharactersMin} characters; make one: openssl rand -hex 24`,
    );
  return token;
}

export type OpenConsole = {
  readonly address: string;
  /** Rejects with programmer's mistakes only; otherwise resolves once it is closed. */
  readonly ended: Promise<void>;
  /** Resolves when what was ordered in the background is through. */
  settled(): Promise<unknown>;
  /** Safe to call twice. */
  close(): Promise<void>;
};

/** Listens, and looks at the fleet until it is closed. Throws console.page_missing, console.token_unusable and node.port_in_use. */
export async function openConsole(
  fleet: Fleet,
  options: ControlFlags & { readonly listen: Listen },
): Promise<OpenConsole> {
  const { host, port } = options.listen;
  const token = readToken(options, options.listen);
  const page = await findPage(packageRoot, systemClock);
  // Not with the command, most uses of which have no console: a rollout starts beside nodes that serve.
  const { createConsoleServer, listen } = await import("../../console/server.ts");
  const stop = new AbortController();
  const database = databaseOf(fleet);
  const desk = new LiveDesk({ fleet, control: token !== undefined, clock: systemClock });
  const acts = consoleActs({ fleet, database, desk, signal: stop.signal });
  const control = token === undefined ? {} : { control: { token, doAct: acts.doAct } };
  const app = createConsoleServer({ feed: desk.feed, past: pastRollouts(fleet, database), page, host, ...control });
  const end = async () => {
    desk.close();
    await app.close();
    await database.close();
  };
  try {
    const address = await listen(app, host, port);
    const ended = watchFleet(fleet, database, desk, stop.signal).finally(end);
    // Whoever closes it hears of it too.
    ended.catch(() => undefined);
    const close = async () => {
      stop.abort();
      await ended;
    };
    return { address, ended, settled: () => acts.settled(), close };
  } catch (error) {
    await end();
    throw error;
  }
}

function unusable(message: string, cause?: unknown): ServiceError {
  return new ServiceError("console.token_unusable", message, { cause });
}
