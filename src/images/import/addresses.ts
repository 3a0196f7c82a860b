// Internet addresses as what they lead to, however they are written: an IPv4 address inside an IPv6 one is that IPv4 address, and some
// addresses never lead out of this machine or its link.
import { BlockList, isIPv4, isIPv6 } from "node:net";

/** Loopback, link-local (cloud metadata services live there), unspecified and multicast. */
const neverOutside = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
  ["255.255.255.255", 32],
] as const)
  neverOutside.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  neverOutside.addSubnet(network, prefix, "ipv6");

/** One spelling for each address: IPv4 in dots, also where it is mapped, translated or tunnelled in IPv6. undefined: no address. */
export function canonicalAddress(text: string): string | undefined {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const groups = ipv6Groups(bare);
  return embeddedIpv4(groups) ?? groups.map((group) => group.toString(16)).join(":");
}

export function leadsOutside(address: string): boolean {
  return !neverOutside.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** Eight numbers. The URL parser expands and checks, and writes an IPv4 tail as two groups. */
function ipv6Groups(address: string): readonly number[] {
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = short.split("::");
  const numbers = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [before, after] = [numbers(head), numbers(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function embeddedIpv4(groups: readonly number[]): string | undefined {
  const [a = 0, b = 0, c = 0, , , f = 0, g = 0, h = 0] = groups;
  const dotted = (high: number, low: number) => [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const zeroUntil = (end: number) => groups.slice(0, end).every((group) => group === 0);
  if (zeroUntil(5) && f === 0xffff) return dotted(g, h);
  // ::a.b.c.d of old, which is neither :: nor ::1.
  if (zeroUntil(6) && (g !== 0 || h > 1)) return dotted(g, h);
  const translated = a === 0x64 && b === 0xff9b && groups.slice(2, 6).every((group) => group === 0);
  if (translated) return dotted(g, h);
  return a === 0x2002 ? dotted(b, c) : undefined;
}
