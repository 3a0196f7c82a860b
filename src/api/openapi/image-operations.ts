// Calls on images, their data, members, tags and locations, as the API's description shows them.
import type { Capabilities } from "../../releases/capabilities.ts";
import {
  anything,
  bytes,
  json,
  type Operations,
  oneOf,
  type Parameter,
  parameter,
  ref,
  text,
  whole,
} from "./operation.ts";

const data = anything("application/octet-stream");
const storeHeader = parameter("X-Image-Meta-Store", text, "Store the data goes to, where there are several.");
const sizeHeader = parameter("X-OpenStack-Image-Size", whole, "Bytes of the data; goes before Content-Length.");
const completeHeader = parameter(
  "Upload-Complete",
  oneOf("?0", "?1"),
  "Whether these are the last bytes, of an upload that can be continued ([perennial] resumable_uploads).",
);
const lengthHeader = parameter("Upload-Length", whole, "Bytes of the whole image, of an upload that can be continued.");
export const page: readonly Parameter[] = [
  parameter("limit", whole, "Most entries on the page."),
  parameter("marker", text, "Last entry of the page before."),
];
export const directions = oneOf("asc", "desc");
const sortKeys = oneOf("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at");
const time = { type: "string", description: "ISO 8601, also behind eq:, neq:, gt:, gte:, lt: or lte:." };
const choice = (what: string) =>
  parameter(what, text, `Equal to it, or to one of in:A,B; text with a colon behind eq:.`);

function listParameters({ visibilityFilters, hiding, multihash }: Capabilities): readonly Parameter[] {
  return [
    ...page,
    parameter("sort_key", sortKeys, "May be repeated."),
    parameter("sort_dir", directions, "One for all keys, or one for each."),
    parameter("sort", text, "Keys with directions: name:asc,size:desc."),
    ...["name", "id", "status", "container_format", "disk_format"].map(choice),
    parameter("owner", text, "Project the image belongs to."),
    parameter("checksum", text, "MD5 of the data."),
    ...(multihash
      ? [
          parameter("os_hash_algo", text, "Algorithm of the other hash."),
          parameter("os_hash_value", text, "That hash."),
        ]
      : []),
    parameter("protected", oneOf("true", "false"), "Whether deletion is refused."),
    parameter("visibility", oneOf(...visibilityFilters), "Who may use the image."),
    parameter("member_status", oneOf("pending", "accepted", "rejected", "all"), "Of shared images."),
    ...(hiding ? [parameter("os_hidden", oneOf("true", "false"), "Hidden images in the place of the others.")] : []),
    parameter("tag", text, "May be repeated: images that have all of them."),
    parameter("created_at", time, "When the image was registered."),
    parameter("updated_at", time, "When the image was last changed."),
    ...["size", "virtual_size", "min_disk", "min_ram"].flatMap((column) => [
      parameter(column, { type: "integer" }, "Equal to it."),
      parameter(`${column}_min`, { type: "integer" }, "At least."),
      parameter(`${column}_max`, { type: "integer" }, "At most."),
    ]),
  ];
}

/** The data is in a store that this node has not: refused, or asked of a node that has it. */
const elsewhere = [501, 502] as const;

export function imageOperations(capabilities: Capabilities): Operations {
  const sizes = capabilities.imageSizeHeader ? [sizeHeader] : [];
  return {
    "GET /images": {
      id: "listImages",
      summary: "Images the caller may see, by pages. Any other parameter is a custom property that must be equal.",
      query: listParameters(capabilities),
      answers: { 200: ref("images") },
    },
    "POST /images": {
      id: "createImage",
      summary: "Registers an image, whose data follows by upload or import.",
      body: json(ref("image")),
      answers: { 201: ref("image") },
      errors: [409, 413],
    },
    "GET /images/:imageId": { id: "showImage", summary: "One image.", answers: { 200: ref("image") } },
    "PATCH /images/:imageId": {
      id: "updateImage",
      summary: "Changes an image. All changes are made, or none.",
      body: {
        "application/openstack-images-v2.1-json-patch": ref("patch"),
        "application/openstack-images-v2.0-json-patch": ref("older_patch"),
      },
      answers: { 200: ref("image") },
      errors: [409, 413, 415, 501],
    },
    "DELETE /images/:imageId": {
      id: "deleteImage",
      summary: "Deletes an image and its data.",
      answers: { 204: null },
      errors: [409, ...elsewhere],
    },
    "GET /images/:imageId/file": {
      id: "downloadImage",
      summary: "The data of an image, whole or a range of it.",
      headers: [
        parameter("Range", text, "One range of bytes."),
        parameter("Content-Range", text, "The same, as older clients ask for it."),
      ],
      answers: {
        200: data,
        204: null,
        206: data,
      },
      errors: [416, ...elsewhere],
    },
    "PUT /images/:imageId/file": {
      id: "uploadImage",
      summary: "Stores the data of a queued image.",
      headers: [storeHeader, ...sizes, completeHeader, lengthHeader],
      body: bytes,
      answers: { 201: null, 204: null },
      errors: [409, 410, 413, 415],
    },
    "HEAD /images/:imageId/file": {
      id: "showUpload",
      summary:
        "How far an upload that can be continued has come (Upload-Offset), and whether it is complete (Upload-Complete).",
      answers: { 204: null },
      errors: [409],
    },
    "PATCH /images/:imageId/file": {
      id: "continueUpload",
      summary: "Goes on with an upload where it stands.",
      headers: [parameter("Upload-Offset", whole, "Bytes that came before."), completeHeader, lengthHeader],
      body: { "application/partial-upload": {} },
      answers: { 204: null },
      errors: [409, 410, 413, 415],
    },
    "DELETE /images/:imageId/file": {
      id: "cancelUpload",
      summary: "Gives up an upload that can be continued; the image is queued again.",
      answers: { 204: null },
      errors: [409],
    },
    ...memberOperations,
    "PUT /images/:imageId/tags/:tag": {
      id: "addTag",
      summary: "Adds a tag to an image.",
      answers: { 204: null },
      errors: [413],
    },
    "DELETE /images/:imageId/tags/:tag": { id: "removeTag", summary: "Removes a tag.", answers: { 204: null } },
    "GET /images/:imageId/locations": {
      id: "listLocations",
      summary: "Where the data of an image lies, for services.",
      answers: { 200: ref("image_locations") },
    },
    "POST /images/:imageId/locations": {
      id: "addLocation",
      summary: "Gives a queued image its data by saying where it lies.",
      body: json(ref("location_body")),
      answers: { 202: null },
      errors: [409, 413],
    },
    "POST /images/:imageId/actions/deactivate": {
      id: "deactivateImage",
      summary: "Keeps the data of an image from being read.",
      answers: { 204: null },
    },
    "POST /images/:imageId/actions/reactivate": {
      id: "reactivateImage",
      summary: "Gives it free again.",
      answers: { 204: null },
    },
    "PUT /images/:imageId/stage": {
      id: "stageImage",
      summary: "Uploads data that an import of method glance-direct takes.",
      headers: sizes,
      body: bytes,
      answers: { 204: null },
      errors: [409, 410, 413, 415],
    },
    "POST /images/:imageId/import": {
      id: "importImage",
      summary: "Begins to import the data of an image, into one store or several.",
      headers: [storeHeader],
      body: json(ref("import_body")),
      answers: { 202: null },
      errors: [409, 413, ...elsewhere],
    },
    "GET /images/:imageId/tasks": {
      id: "listImageTasks",
      summary: "What was done for an image in the background.",
      answers: { 200: ref("image_tasks") },
    },
  };
}

const memberOperations: Operations = {
  "GET /images/:imageId/members": {
    id: "listMembers",
    summary: "Projects an image is shared with.",
    answers: { 200: ref("members") },
  },
  "POST /images/:imageId/members": {
    id: "addMember",
    summary: "Shares an image with a project.",
    body: json(ref("member_body")),
    answers: { 200: ref("member") },
    errors: [409, 413],
  },
  "GET /images/:imageId/members/:memberId": {
    id: "showMember",
    summary: "One project an image is shared with.",
    answers: { 200: ref("member") },
  },
  "PUT /images/:imageId/members/:memberId": {
    id: "updateMember",
    summary: "Accepts or rejects an image that was shared with the caller's project.",
    body: json(ref("member_status_body")),
    answers: { 200: ref("member") },
  },
  "DELETE /images/:imageId/members/:memberId": {
    id: "removeMember",
    summary: "Shares the image with this project no longer.",
    answers: { 204: null },
  },
};
