// Calls a node's cache management over HTTP, and Keystone for a token where only a name and a password were given.
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { errorText } from "../core/errors.ts";
import { request as httpRequest } from "../core/node-http.ts";
import { ClientFailure, messageOf } from "./client-failure.ts";

export type Answer = { readonly status: number; readonly headers: IncomingMessage["headers"]; readonly body: string };

type Call = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Certificates that do not verify are taken. */
  readonly insecure: boolean;
};

const silenceMsMax = 60_000;

/** Throws ClientFailure where no answer comes. */
export async function call(method: string, url: string, { headers = {}, body, insecure }: Call): Promise<Answer> {
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const asked = send(url, { method, headers, agent: false, rejectUnauthorized: !insecure }, (response) => {
        text(response).then(
          (answer) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answer }),
          reject,
        );
      });
      asked.setTimeout(silenceMsMax, () => asked.destroy(new Error(`no answer within ${silenceMsMax / 1000} s`)));
      asked.on("error", reject).end(body);
    });
  } catch (error) {
    throw new ClientFailure(`${url} cannot be reached: ${errorText(error)}; check --host and --port, or --os-auth-url`);
  }
}

export type Credentials = {
  readonly authUrl: string;
  readonly username: string;
  readonly password: string;
  readonly project: { readonly id: string } | { readonly name: string };
  readonly userDomain: string;
  readonly projectDomain: string;
};

/** Throws ClientFailure where Keystone gives no token. */
export async function fetchToken(credentials: Credentials, insecure: boolean): Promise<string> {
  const { authUrl, username, password, project, userDomain, projectDomain } = credentials;
  const scope = "id" in project ? project : { ...project, domain: { name: projectDomain } };
  const user = { name: username, password, domain: { name: userDomain } };
  const auth = { identity: { methods: ["password"], password: { user } }, scope: { project: scope } };
  const base = authUrl.replace(/\/+$/, "").replace(/\/v\d[.\d]*$/, "");
  const url = `${base}/v3/auth/tokens`;
  const headers = { "content-type": "application/json", accept: "application/json" };
  const answer = await call("POST", url, { headers, body: JSON.stringify({ auth }), insecure });
  const token = answer.headers["x-subject-token"];
  if (answer.status !== 201 || typeof token !== "string")
    throw new ClientFailure(
      `${url} gave no token (${answer.status}): check --os-username, --os-password and --os-project-name`,
    );
  return token;
}

export type CacheClient = {
  /** JSON of the answer. Throws ClientFailure for every status but 200. */
  ask(method: "GET" | "PUT" | "DELETE", path: string): Promise<unknown>;
};

/** `endpoint`: without a trailing slash. `token`: null where the node asks for none. */
export function createCacheClient(endpoint: string, token: string | null, insecure: boolean): CacheClient {
  return {
    async ask(method, path) {
      const headers = { accept: "application/json", ...(token === null ? {} : { "x-auth-token": token }) };
      const { status, body } = await call(method, `${endpoint}/v2${path}`, { headers, insecure });
      if (status !== 200) throw new ClientFailure(`${endpoint} answered ${status}: ${advice(status, body)}`);
      return JSON.parse(body) as unknown;
    },
  };
}

function advice(status: number, body: string): string {
  switch (status) {
    case 401:
      return "give a valid token (--os-auth-token), or name, password and project (--os-username ...)";
    case 403:
      return "managing the cache is an admin's (policy manage_image_cache)";
    case 404:
      return `${messageOf(body)} Where no image is named: the node needs image_cache_dir and a flavor with cachemanagement`;
    default:
      return messageOf(body);
  }
}
