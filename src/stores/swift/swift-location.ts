// Locations in Swift: `swift+config://reference/container/object`, which is what is written, and the older `swift+https://user:key@auth/container/object`,
// which are read where user and authentication are those of a reference of ours.
import type { SwiftReference } from "./swift-auth.ts";

export type SwiftLocation = { readonly reference: SwiftReference; readonly container: string; readonly key: string };

/** undefined where it is none, or of an account that is none of `references`. */
export function parseSwiftLocation(url: string, references: readonly SwiftReference[]): SwiftLocation | undefined {
  const [, scheme = "", rest = ""] = /^(swift(?:\+\w+)?):\/\/(.+)$/i.exec(url) ?? [];
  const parts = rest
    .replace(/^.*@/, "")
    .split("/")
    .filter((part) => part !== "");
  const [key, container, ...before] = parts.toReversed();
  if (key === undefined || container === undefined || !/^[\w.-]{1,255}$/.test(key)) return undefined;
  const place = before.toReversed().join("/");
  const reference = references.find(({ name, authAddress, user }) => {
    if (scheme.toLowerCase() === "swift+config") return name === place;
    const address = `${authAddress.host}${authAddress.pathname}`.replace(/\/+$/, "");
    return place === address && userOf(rest) === user;
  });
  return reference && { reference, container, key };
}

/** All but what follows the last colon before the `@`; a user may have colons of its own. */
function userOf(rest: string): string {
  const credentials = /^(.*):[^:@]*@/.exec(rest)?.[1] ?? "";
  try {
    return decodeURIComponent(credentials);
  } catch {
    return credentials;
  }
}

export function swiftUrl({ reference, container, key }: SwiftLocation): string {
  return `swift+config://${reference.name}/${container}/${key}`;
}
