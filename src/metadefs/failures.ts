// What goes wrong with metadata definitions, as errors for people.
import { ServiceError } from "../core/errors.ts";

/** `kind`: namespace, object, tag ... */
export function notFound(kind: string, name: string): ServiceError {
  const shown = name.slice(0, 80);
  return new ServiceError("metadefs.not_found", `There is no metadata ${kind} ${shown}.`, {
    facts: { kind, name: shown },
  });
}

export function duplicate(what: string): ServiceError {
  return new ServiceError("metadefs.duplicate", what);
}

export function isProtected(namespace: string): ServiceError {
  return new ServiceError(
    "metadefs.forbidden",
    `Namespace ${namespace} is protected: neither it nor anything in it can be deleted.`,
    { facts: { namespace } },
  );
}

export function invalid(what: string): ServiceError {
  return new ServiceError("metadefs.invalid", what);
}

export function forbidden(what: string): ServiceError {
  return new ServiceError("metadefs.forbidden", what);
}
