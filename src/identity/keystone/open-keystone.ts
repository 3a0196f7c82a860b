// The door of this folder: one client, one service token and one memory of tokens for a process, from its configuration.
import type { Clock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import type { Logger } from "../../core/logger.ts";
import type { Identity } from "../identity.ts";
import { catalogEndpoint, type EndpointQuestion } from "./catalog-endpoint.ts";
import { readKeystoneSettings } from "./config.ts";
import { type KeyManager, openKeyManager } from "./key-manager.ts";
import { KeystoneClient } from "./keystone-client.ts";
import { KeystoneIdentity } from "./keystone-identity.ts";
import { ServiceSession } from "./service-session.ts";
import { TokenValidator } from "./token-validator.ts";

export type ImageEndpointQuestion = Omit<EndpointQuestion, "serviceType"> & { readonly region: string };

export type Keystone = {
  /** See catalogEndpoint. */
  imageEndpoint(question: ImageEndpointQuestion): Promise<string | null>;
  /** Absent: the operator's key manager is none that we know. */
  readonly keys?: Omit<KeyManager, "close">;
  identity(options: { readonly allowAnonymous: boolean }): Identity;
  close(): Promise<void>;
};

/** Asks nothing yet. Throws config.invalid. */
export function openKeystone(
  config: Pick<Config, "read">,
  deps: { readonly authtoken: Readonly<Record<string, string>>; readonly clock: Clock; readonly logger: Logger },
): Keystone {
  const { clock, logger } = deps;
  const settings = readKeystoneSettings(config, deps.authtoken);
  const client = new KeystoneClient(settings);
  const session = new ServiceSession({ settings, client, clock, logger });
  const tokens = new TokenValidator({ session, clock, cacheMs: settings.cacheMs });
  const keys = openKeyManager(config, { session, logger });
  return {
    identity: ({ allowAnonymous }) => new KeystoneIdentity({ settings, tokens, allowAnonymous, logger }),
    imageEndpoint: (question) => catalogEndpoint(session, { ...question, serviceType: "image" }),
    ...(keys ? { keys } : {}),
    async close() {
      await keys?.close();
      await client.close();
    },
  };
}
