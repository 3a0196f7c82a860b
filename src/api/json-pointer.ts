// JSON pointers as PATCH uses them: RFC 6901 without empty tokens, and with blanks around tokens trimmed. Two slashes at the beginning count as
// one, as beside the reference.
import { ServiceError } from "../core/errors.ts";

/** The decoded tokens. `/` alone is the property with an empty name. Throws images.bad_patch. */
export function parsePointer(pointer: string): readonly string[] {
  if (!pointer.startsWith("/")) throw badPointer(pointer, 'does not begin with "/"');
  if (pointer === "/") return [""];
  const tokens = pointer.replace(/^\/\/?/, "");
  if (/^\s*\/|\/\s*\//.test(tokens)) throw badPointer(pointer, 'has "//"');
  if (tokens.trim() === "" && pointer.startsWith("//")) throw badPointer(pointer, "names nothing");
  if (tokens.endsWith("/")) throw badPointer(pointer, 'ends with "/"');
  if (/~(?![01])/.test(tokens)) throw badPointer(pointer, 'has a "~" that is neither "~0" nor "~1"');
  // In this order: `~01` is `~1`, not `/`.
  return tokens.split("/").map((token) => token.trim().replaceAll("~1", "/").replaceAll("~0", "~"));
}

function badPointer(pointer: string, why: string): ServiceError {
  return new ServiceError("images.bad_patch", `Path "${pointer.slice(0, 300)}" ${why}.`);
}
