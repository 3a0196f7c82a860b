// Everything in a configuration that can be judged without opening anything, so that a wrong file is refused before the node
// starts or reloads, with one line.
import { isIP } from "node:net";
import { readApiSettings } from "../api/config.ts";
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { databaseOptions } from "../db/config.ts";
import { readIdentitySettings } from "../identity/config.ts";
import { readImageSettings } from "../images/settings.ts";
import { listenOptions } from "../node/config.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { readFileStoreOptions } from "../stores/file/config.ts";

/** Throws config.invalid. */
export function checkConfig(config: Config): void {
  const { release } = readNodeSettings(config);
  readImageSettings(config, releaseOf(release).capabilities);
  readApiSettings(config);
  readFileStoreOptions(config);
  databaseUrlOf(config);
  const identity = readIdentitySettings(config);
  const { bind_host: host } = config.read(listenOptions);
  if (identity.flavor === "fakeauth" && !identity.fakeauthAnywhere && !isLoopback(host)) {
    const message = `[paste_deploy] flavor = fakeauth believes every caller, so it listens on loopback only; set [DEFAULT] bind_host = 127.0.0.1 (it is ${host}), or [perennial] fakeauth_anywhere = true`;
    throw new ServiceError("config.invalid", message, { facts: { section: "DEFAULT", option: "bind_host" } });
  }
}

/** Throws config.invalid where no database is configured. */
export function databaseUrlOf(config: Config): string {
  const { connection } = config.read(databaseOptions);
  if (connection) return connection;
  const where = config.files.length > 0 ? config.files.join(", ") : "no configuration file was found";
  const message = `[database] connection is not set (${where}); give it, such as mysql://glance:password@host/glance`;
  throw new ServiceError("config.invalid", message, { facts: { section: "database", option: "connection" } });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
