// Makes of the pipeline's word and the operator's policy who callers are.
import type { Policy } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import type { CallerSource } from "./caller-source.ts";
import { fakeauth } from "./fakeauth.ts";
import { createIdentity, type Identity, nobody } from "./identity.ts";

/** Throws config.invalid for callers that cannot be found out about. */
export function openIdentity(options: { callers: CallerSource; policy: Policy }): Identity {
  return createIdentity({ source: sourceOf(options.callers), policy: options.policy });
}

function sourceOf(callers: CallerSource): Identity {
  switch (callers) {
    case "none":
      return nobody;
    case "fakeauth":
      return fakeauth;
    case "headers":
    case "keystone":
      throw new ServiceError("config.invalid", `callers by ${callers} are not served by this version.`);
  }
}
