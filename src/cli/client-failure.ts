// What the commands that call a node say when that fails.

/** A failure of which the line says all there is to say. */
export class ClientFailure extends Error {}

/** What the answer's JSON says, else nothing that could fill a screen. */
export function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === "string") return message.replace(/<br \/>|\s+/g, " ").trim();
  } catch {
    // No JSON: a proxy in front may answer as it likes.
  }
  return "the service did not say why.";
}
