// Every answer about images carries the id of its request, by which a client's report is found in the log. One the client brings is kept.
import { randomUUID } from "node:crypto";
import { ServiceError } from "../core/errors.ts";

/** The header in lower case, as Node hands them over. */
export const requestIdHeader = "x-openstack-request-id";

/** Throws api.header_too_large where the client's id has more than `charsMax` characters. */
export function requestIdOf(given: string | undefined, charsMax: number): string {
  if (given === undefined || given === "") return `req-${randomUUID()}`;
  if (given.length > charsMax)
    throw new ServiceError("api.header_too_large", `X-Openstack-Request-ID is longer than ${charsMax} characters.`, {
      facts: { charsMax },
    });
  return given.startsWith("req-") ? given : `req-${given}`;
}
