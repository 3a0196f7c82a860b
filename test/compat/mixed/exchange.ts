// One request to one kind of node, and its answer in a form in which answers of both kinds compare.
import type { Kind, MixedFleet } from "./fleet.ts";

/** Tokens that say who asks: user, project and role. */
const tokens = { ann: "ann:red:member", bob: "bob:blue:member", eve: "eve:red:reader", ops: "ops:yard:admin" } as const;
export type Caller = keyof typeof tokens;

export type Asked = {
  readonly caller: Caller | "nobody";
  readonly method: string;
  readonly path: string;
  /** JSON, or bytes as they are. */
  readonly body?: unknown;
  /** Replace what is usual for the body. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed where it is JSON, text otherwise; of data its bytes in hex, up to 64, and their number. */
  readonly body: unknown;
};

/** For a whole answer; below undici's own deadlines, which name no request. Two minutes were missed once on a machine with thirty busy processes. */
export const answerMsMax = 290_000;

/** Throws what names the node and the request, with the node's last lines, where no whole answer comes within `answerMsMax`. */
export async function ask(fleet: Pick<MixedFleet, "urls" | "output">, kind: Kind, asked: Asked): Promise<Answer> {
  const deadline = AbortSignal.timeout(answerMsMax);
  try {
    return await exchange(fleet.urls[kind], kind, asked, deadline);
  } catch (cause) {
    const what = deadline.aborted ? `no whole answer within ${answerMsMax / 1000} s` : "no whole answer";
    throw new Error(`${kind} (${fleet.urls[kind]}) gave ${what}: ${describe(asked)}\n${fleet.output(kind)}`, { cause });
  }
}

async function exchange(url: string, kind: Kind, asked: Asked, signal: AbortSignal): Promise<Answer> {
  const { caller, method, path, body, headers = {} } = asked;
  const isBytes = body instanceof Uint8Array;
  const usual: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) usual["content-type"] = isBytes ? "application/octet-stream" : "application/json";
  // Each has a connection of its own: where they were kept an answer of the reference's was once not there after four minutes. Why is not
  // known; refused requests with unread bodies are not it: of 3,000 requests of bad-requests.ts on kept connections each was answered.
  if (kind === "theirs") usual.connection = "close";
  if (caller !== "nobody") usual["x-auth-token"] = tokens[caller];
  const response = await fetch(url + path, {
    method,
    redirect: "manual",
    headers: { ...usual, ...headers },
    signal,
    ...(body === undefined ? {} : { body: isBytes ? Buffer.from(body) : textOf(body) }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  // Links name the node that was asked.
  const portable = (text: string) => text.replaceAll(url, "http://node");
  const answered = [...response.headers].map(([name, value]) => [name, portable(value)]);
  const type = response.headers.get("content-type") ?? "";
  return {
    status: response.status,
    headers: Object.fromEntries(answered),
    body: type === "application/octet-stream" ? dataOf(bytes) : parsed(portable(bytes.toString())),
  };
}

/** A body as it is sent; bytes are no text. */
export const textOf = (body: unknown) => (typeof body === "string" ? body : JSON.stringify(body));

function dataOf(bytes: Buffer): string {
  return `${bytes.length} bytes: ${bytes.subarray(0, 64).toString("hex")}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function describe({ caller, method, path, body, headers }: Asked): string {
  const sent = body === undefined ? "" : body instanceof Uint8Array ? `${body.length} bytes` : textOf(body);
  return [caller, method, path, sent.slice(0, 300), headers === undefined ? "" : JSON.stringify(headers)]
    .filter((part) => part !== "")
    .join(" ");
}
