// Where the message bus is, in the words of oslo.messaging: rabbit://user:password@host:port,user:password@host:port/virtual-host.

export type BusAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

export type TransportUrl = {
  /** Of one cluster: any of them will do. */
  readonly addresses: readonly [BusAddress, ...BusAddress[]];
  readonly virtualHost: string;
};

const schemes: readonly string[] = ["rabbit", "kombu", "amqp"];
const portDefault = 5_672;

/** undefined where it is none of RabbitMQ. */
export function parseTransportUrl(text: string): TransportUrl | undefined {
  const [, scheme = "", hosts = "", path = ""] =
    /^([a-z]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?[^#]*)?$/i.exec(text.trim()) ?? [];
  if (!schemes.includes(scheme.toLowerCase())) return undefined;
  // Without any host it is this machine's broker with its usual login.
  const named = hosts.split(",").filter((host) => host !== "");
  const found = (named.length > 0 ? named : ["localhost"]).map((host) => addressOf(host));
  const virtualHost = unescaped(path);
  const [first, ...others] = found.filter((address) => address !== undefined);
  if (!first || others.length + 1 < found.length || virtualHost === undefined) return undefined;
  return { addresses: [first, ...others], virtualHost: virtualHost || "/" };
}

function addressOf(text: string): BusAddress | undefined {
  const at = text.lastIndexOf("@");
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(text.slice(0, Math.max(0, at))) ?? [];
  const [, bracketed, plain, port = String(portDefault)] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text.slice(at + 1)) ?? [];
  const host = bracketed ?? plain;
  const login = { user: unescaped(user || "guest"), password: unescaped(password ?? "guest") };
  if (host === undefined || login.user === undefined || login.password === undefined) return undefined;
  return Number(port) > 65_535 ? undefined : { host, port: Number(port), user: login.user, password: login.password };
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
