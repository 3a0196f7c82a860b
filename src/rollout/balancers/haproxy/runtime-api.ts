// One command to HAProxy's Runtime API and its whole answer. Each command has a connection of its own, as HAProxy ends the connection
// after the answer; so a reload or restart between two commands needs no reconnecting.
import { connect, type NetConnectOpts } from "node:net";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { isAddress } from "../balancer-schemas.ts";

const answerMsMax = 5_000;
const answerBytesMax = 16_000_000;

/** `socket`: a UNIX socket's path or host:port. Throws rollout.driver_failed naming it, and the next step. */
export function askHaproxy(socket: string, command: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const connection = connect(target(socket));
    const fail = (why: string, cause?: unknown) => {
      connection.destroy();
      signal.removeEventListener("abort", onAbort);
      const message = `HAProxy's Runtime API at ${socket} ${why}; see that HAProxy runs and has 'stats socket ${socket} level admin'`;
      reject(new ServiceError("rollout.driver_failed", message, { facts: { socket, command }, cause }));
    };
    const onAbort = () => fail("was not waited for", signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    connection.setEncoding("utf8");
    connection.setTimeout(answerMsMax, () => fail(`did not answer '${command}' within ${answerMsMax / 1000} s`));
    connection.on("connect", () => connection.write(`${command}\n`));
    connection.on("data", (text: string) => {
      answer += text;
      if (answer.length > answerBytesMax) fail(`answers '${command}' without end`);
    });
    connection.on("error", (error) => fail(`cannot be asked (${errorText(error)})`, error));
    connection.on("end", () => {
      connection.destroy();
      signal.removeEventListener("abort", onAbort);
      // Every complete answer ends with an empty line.
      if (answer.endsWith("\n")) resolve(answer);
      else fail(`broke off its answer to '${command}'`);
    });
  });
}

function target(socket: string): NetConnectOpts {
  if (!isAddress(socket)) return { path: socket };
  const colon = socket.lastIndexOf(":");
  return { host: socket.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(socket.slice(colon + 1)) };
}
