// The body of POST /v2/images/{id}/import to what the domain understands. Every mistake in it is the client's (400).
import { ServiceError } from "../core/errors.ts";
import { isStorable } from "../core/storable-text.ts";
import type { ImportRequest, RequestedMethod } from "../images/import/import-request.ts";

/** `token`: the client's own. Throws api.bad_request. */
export function parseImport(
  body: object,
  { storeHeader, token }: { readonly storeHeader: string | undefined; readonly token: string | undefined },
): ImportRequest {
  if (Array.isArray(body)) throw wrong("it must be a JSON object");
  const given = body as Readonly<Record<string, unknown>>;
  return {
    method: methodOf(given.method),
    storeIds: storeIdsOf(given.stores),
    headerStoreId: storeHeader ?? null,
    allStores: flagOf("all_stores", given.all_stores) ?? false,
    // Clients send false where there is one store, too, which then means nothing.
    allMustSucceed: flagOf("all_stores_must_succeed", given.all_stores_must_succeed) ?? true,
    body,
    token,
  };
}

/** What another node is told of it: the store that a header named, in the body. */
export function importBody({ body, headerStoreId }: ImportRequest): string {
  return JSON.stringify(headerStoreId === null ? body : { ...(body as object), stores: [headerStoreId] });
}

function methodOf(method: unknown): RequestedMethod {
  if (typeof method !== "object" || method === null || Array.isArray(method))
    throw wrong('it needs an object "method" with a "name"');
  const given = method as Readonly<Record<string, unknown>>;
  const { name, uri } = given;
  switch (name) {
    case "glance-download":
      return { name, ...remoteOf(given) };
    case "glance-direct":
    case "copy-image":
      return { name };
    case "web-download":
      if (typeof uri === "string" && isStorable(uri)) return { name, uri };
      throw wrong('web-download needs a text "uri"');
    default:
      throw wrong(`"method" has no name of a way to import`);
  }
}

const interfaces: readonly unknown[] = ["public", "internal", "admin"];

function remoteOf({
  glance_region: region,
  glance_image_id: imageId,
  glance_service_interface: serviceInterface = "public",
}: Readonly<Record<string, unknown>>): { region: string; imageId: string; serviceInterface: string } {
  if (typeof region !== "string" || region === "" || region.length > 255 || !isStorable(region))
    throw wrong('glance-download needs a text "glance_region"');
  if (typeof imageId !== "string" || !uuid.test(imageId))
    throw wrong('glance-download needs the id of an image, "glance_image_id"');
  if (typeof serviceInterface !== "string" || !interfaces.includes(serviceInterface))
    throw wrong(`"glance_service_interface" is one of ${interfaces.join(", ")}`);
  return { region, imageId: imageId.toLowerCase(), serviceInterface };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function storeIdsOf(stores: unknown): readonly string[] | null {
  if (stores === undefined || stores === null) return null;
  if (Array.isArray(stores) && stores.every((id): id is string => typeof id === "string"))
    return stores.length > 0 ? stores : null;
  throw wrong('"stores" must be a list of texts');
}

function flagOf(name: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw wrong(`"${name}" must be true or false`);
}

function wrong(why: string): ServiceError {
  return new ServiceError("api.bad_request", `The body is no import: ${why}.`);
}
