// Identity as a node opens it, from the text of a configuration.

import { loadConfig } from "../../../core/config.ts";
import type { Logger } from "../../../core/logger.ts";
import { silentLogger } from "../../../core/logger.ts";
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import type { CallerSource } from "../../caller-source.ts";
import { identityOptionGroups } from "../../config.ts";
import { type OpenIdentity, openIdentity } from "../../open-identity.ts";
import { defaultPolicyOf } from "../../policy/default-policy.ts";

/** `text`: sections and options of glance-api.conf. Throws config.invalid. */
export function openForTest(
  text: string,
  options: { callers?: CallerSource; release?: ReleaseId; logger?: Logger; authtoken?: Record<string, string> } = {},
): OpenIdentity {
  const traits = releaseOf(options.release ?? "2026.1").capabilities.policy;
  const config = loadConfig({ files: [{ file: "glance-api.conf", text }], groups: identityOptionGroups });
  return openIdentity(config, {
    callers: options.callers ?? "keystone",
    authtoken: options.authtoken ?? {},
    policy: defaultPolicyOf(traits),
    traits,
    logger: options.logger ?? silentLogger,
  });
}
