// PATCH documents of both media types, read down to the operations the domain applies. What a path may name is the domain's business.
import { ServiceError } from "../core/errors.ts";
import type { ImagePatch, PatchOperation } from "../images/services.ts";
import { parsePointer } from "./json-pointer.ts";

const mediaTypes = {
  v20: "application/openstack-images-v2.0-json-patch",
  v21: "application/openstack-images-v2.1-json-patch",
} as const;
const operations: readonly PatchOperation["op"][] = ["add", "remove", "replace"];

export type PatchForm = keyof typeof mediaTypes;

/** Parameters such as charset are tolerated, other spellings are not. Throws api.unsupported_media_type, which names both types. */
export function patchFormOf(contentType: string | undefined): PatchForm {
  const type = contentType?.split(";")[0]?.trim();
  if (type === mediaTypes.v21) return "v21";
  if (type === mediaTypes.v20) return "v20";
  throw new ServiceError(
    "api.unsupported_media_type",
    `An image is changed with ${mediaTypes.v21} or ${mediaTypes.v20}, not with ${type || "a body without a type"}.`,
    { facts: { acceptPatch: `${mediaTypes.v20}, ${mediaTypes.v21}` } },
  );
}

/** Throws images.bad_patch. */
export function parsePatch(form: PatchForm, document: unknown): ImagePatch {
  if (!Array.isArray(document)) throw badPatch("The body must be a JSON list of operations.");
  return {
    operations: document.map((entry) => parseOperation(form, entry)),
    addRefusesExisting: form === "v20",
  };
}

function parseOperation(form: PatchForm, entry: unknown): PatchOperation {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw badPatch("Each operation must be a JSON object.");
  const members = new Map<string, unknown>(Object.entries(entry));
  const { op, pointer } = form === "v21" ? namedOperation(members) : shortOperation(members);
  if (typeof pointer !== "string") throw badPatch(`The path of operation "${op}" must be a string.`);
  const path = parsePointer(pointer);
  if (op === "remove") return { op, path };
  if (!members.has("value")) throw badPatch(`Operation "${op}" needs a member "value".`);
  return { op, path, value: members.get("value") };
}

type Head = { readonly op: PatchOperation["op"]; readonly pointer: unknown };

/** `{"op": "add", "path": "/name", "value": ...}` */
function namedOperation(members: ReadonlyMap<string, unknown>): Head {
  const op = operations.find((one) => one === members.get("op"));
  if (!op) throw badPatch(`Each operation needs a member "op" that is one of ${operations.join(", ")}.`);
  if (!members.has("path")) throw badPatch(`Operation "${op}" needs a member "path".`);
  return { op, pointer: members.get("path") };
}

/** `{"add": "/name", "value": ...}` */
function shortOperation(members: ReadonlyMap<string, unknown>): Head {
  const [op, ...more] = operations.filter((one) => members.has(one));
  if (!op || more.length > 0)
    throw badPatch(`Each operation needs exactly one of the members ${operations.join(", ")}.`);
  return { op, pointer: members.get(op) };
}

function badPatch(message: string): ServiceError {
  return new ServiceError("images.bad_patch", message);
}
