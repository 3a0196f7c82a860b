// What web-download may reach: schemes, hosts and ports by the operator's lists, and addresses by what they lead to. Asked of the URL a client
// gives, of each redirect, and of each address a name leads to, right before it is connected to.
import { isIPv4 } from "node:net";
import { canonicalAddress, leadsOutside } from "../../core/addresses.ts";
import { ServiceError } from "../../core/errors.ts";

/** A list of what is allowed; where it is empty, all but what is disallowed. */
export type Choice<T> = { readonly allowed: readonly T[]; readonly disallowed: readonly T[] };

export type UriRules = {
  readonly schemes: Choice<string>;
  /** Names and addresses. */
  readonly hosts: Choice<string>;
  /** Asked where a URL names a port. */
  readonly ports: Choice<number>;
};

const uriCharsMax = 2_048;
const served: readonly string[] = ["http", "https"];

export class UriFilter {
  readonly #rules: UriRules;
  readonly #hosts: Choice<string>;

  constructor(rules: UriRules) {
    this.#rules = rules;
    this.#hosts = { allowed: rules.hosts.allowed.map(hostKey), disallowed: rules.hosts.disallowed.map(hostKey) };
  }

  /** The URL, where web-download may fetch it. Throws images.invalid, which says why not. */
  parse(text: string): URL {
    const written = text.length <= uriCharsMax ? /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\]+)/i.exec(text) : null;
    const url = written && URL.canParse(text) ? new URL(text) : undefined;
    if (!written || !url) throw refused(text, "it is not a URL");
    const scheme = url.protocol.slice(0, -1);
    if (!served.includes(scheme) || !isChosen(scheme, this.#rules.schemes)) throw refused(text, `scheme ${scheme}`);
    const host = url.hostname;
    // The parser turns 0x7f.1 or 2130706433 into 127.0.0.1; who writes an address like that means to hide it.
    const writtenHost = (written[2] ?? "").replace(/^.*@/, "").replace(/:\d*$/, "");
    if (host === "" || (isIPv4(host) && writtenHost !== host)) throw refused(text, "its host");
    const port = /:(\d+)$/.exec((written[2] ?? "").replace(/^.*@/, ""))?.[1];
    if (port !== undefined && !isChosen(Number(port), this.#rules.ports)) throw refused(text, `port ${port}`);
    if (!isChosen(hostKey(host), this.#hosts)) throw refused(text, `host ${host}`);
    const address = canonicalAddress(host);
    if (address !== undefined && !this.allowsAddress(address, host)) throw refused(text, `address ${address}`);
    return url;
  }

  /** Whether a connection to this address may be made for a URL of this host. */
  allowsAddress(address: string, host: string): boolean {
    const key = hostKey(address);
    if (this.#hosts.allowed.includes(key)) return true;
    // A listed name is trusted with where it leads, but not into this machine: names can be made to lead anywhere.
    if (!leadsOutside(key)) return this.#hosts.allowed.includes(hostKey(host)) && hostKey(host) === "localhost";
    return this.#hosts.allowed.length > 0 || !this.#hosts.disallowed.includes(key);
  }
}

/** Names without case and without the dot of the root, addresses in their one spelling. */
function hostKey(host: string): string {
  const name = host.trim().toLowerCase().replace(/\.$/, "");
  return canonicalAddress(name) ?? name;
}

function isChosen<T>(value: T, { allowed, disallowed }: Choice<T>): boolean {
  return allowed.length > 0 ? allowed.includes(value) : !disallowed.includes(value);
}

function refused(text: string, why: string): ServiceError {
  return new ServiceError(
    "images.invalid",
    `The URI ${JSON.stringify(text.slice(0, 200))} may not be imported from: ${why} is not allowed here.`,
  );
}
