// The JSON Schemas clients fetch: glanceclient builds its models and its help from them, Nova reads the disk formats. They follow the
// release and the operator's formats, and are made once.
import { volumeKeyPolicy } from "../images/attributes.ts";
import type { ImageSettings } from "../images/settings.ts";
import { statusesOf } from "../images/status.ts";
import type { Capabilities } from "../releases/capabilities.ts";

export type SchemaName = "image" | "images" | "member" | "members" | "task" | "tasks";
type Schema = Readonly<Record<string, unknown>>;

const uuidPattern = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";
const memberStatuses = ["pending", "accepted", "rejected"];
const nullableText = ["null", "string"];
const nullableObject = ["null", "object"];

/** The documents as JSON text, ready to be sent. */
export function createSchemas(
  capabilities: Capabilities,
  settings: Pick<ImageSettings, "containerFormats" | "diskFormats" | "propertySchemas">,
): Readonly<Record<SchemaName, string>> {
  const required = settings.propertySchemas?.required ?? [];
  const image: Schema = {
    name: "image",
    properties: {
      ...baseProperties(capabilities, settings),
      ...(settings.propertySchemas?.documents ?? builtInProperties(capabilities)),
    },
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: { type: "string" },
    links: [
      { rel: "self", href: "{self}" },
      { rel: "enclosure", href: "{file}" },
      { rel: "describedby", href: "{schema}" },
    ],
  };
  const images: Schema = {
    name: "images",
    properties: {
      images: { type: "array", items: image },
      first: { type: "string" },
      next: { type: "string" },
      schema: { type: "string" },
    },
    links: [
      { rel: "first", href: "{first}" },
      { rel: "next", href: "{next}" },
      { rel: "describedby", href: "{schema}" },
    ],
  };
  const members: Schema = {
    name: "members",
    properties: { members: { type: "array", items: member }, schema: { type: "string" } },
    links: [{ rel: "describedby", href: "{schema}" }],
  };
  const task = taskSchema(capabilities);
  const tasks: Schema = {
    name: "tasks",
    properties: {
      tasks: { type: "array", items: task },
      first: { type: "string" },
      next: { type: "string" },
      schema: { type: "string" },
    },
    links: [
      { rel: "first", href: "{first}" },
      { rel: "next", href: "{next}" },
      { rel: "describedby", href: "{schema}" },
    ],
  };
  return {
    image: JSON.stringify(image),
    images: JSON.stringify(images),
    member: JSON.stringify(member),
    members: JSON.stringify(members),
    task: JSON.stringify(task),
    tasks: JSON.stringify(tasks),
  };
}

/** Custom properties that clients are told of; there may be others. */
export function isKnownProperty(name: string, { propertySchemas }: Pick<ImageSettings, "propertySchemas">): boolean {
  return Object.hasOwn(propertySchemas?.documents ?? knownProperties, name);
}

function builtInProperties({ volumeKeys }: Capabilities): Schema {
  return { ...knownProperties, ...(volumeKeys ? volumeKeyProperties : {}) };
}

const readOnly = (description: string, type: unknown = "string"): Schema => ({ type, description, readOnly: true });

function baseProperties(
  capabilities: Capabilities,
  formats: Pick<ImageSettings, "containerFormats" | "diskFormats">,
): Schema {
  const { hiding, multihash, importing, locationStoreKey, locationValidation } = capabilities;
  return {
    id: { type: "string", description: "Identifier of the image.", pattern: uuidPattern },
    name: { type: nullableText, description: "Name of the image, for people.", maxLength: 255 },
    status: {
      ...readOnly("What the image can be used for at the moment."),
      enum: statusesOf({ importing }),
    },
    visibility: { type: "string", description: "Who may use the image.", enum: capabilities.visibilities },
    protected: { type: "boolean", description: "Whether the image is kept from being deleted." },
    ...(hiding ? hidingProperties : {}),
    checksum: { ...readOnly("MD5 of the image data, in hex.", nullableText), maxLength: 32 },
    ...(multihash ? hashProperties : {}),
    owner: { type: nullableText, description: "Project the image belongs to.", maxLength: 255 },
    size: readOnly("Size of the image data, in bytes.", ["null", "integer"]),
    virtual_size: readOnly("Size of the disk the image describes, in bytes.", ["null", "integer"]),
    container_format: {
      type: nullableText,
      description: "How the disk is wrapped together with its metadata.",
      enum: [null, ...formats.containerFormats],
    },
    disk_format: {
      type: nullableText,
      description: "Format of the disk.",
      enum: [null, ...formats.diskFormats],
    },
    created_at: readOnly("When the image was registered."),
    updated_at: readOnly("When the image was last changed."),
    tags: {
      type: "array",
      description: "Words by which the image is found.",
      items: { type: "string", maxLength: 255 },
    },
    direct_url: readOnly("Where the image data lies in the store."),
    min_ram: { type: "integer", description: "Memory needed to boot the image, in MiB." },
    min_disk: { type: "integer", description: "Disk space needed to boot the image, in GiB." },
    self: readOnly("Path of the image."),
    file: readOnly("Path of the image data."),
    // Described whether or not this service has several stores.
    ...(locationStoreKey === null ? {} : { stores: readOnly("Stores that hold the image data, separated by commas.") }),
    schema: readOnly("Path of this schema."),
    locations: {
      type: "array",
      description: "Where the image data lies, with what the store notes about each place.",
      items: {
        type: "object",
        properties: {
          url: { type: "string", maxLength: 255 },
          metadata: { type: "object" },
          ...(locationValidation ? { validation_data: validationData } : {}),
        },
        required: ["url", "metadata"],
      },
    },
  };
}

const hidingProperties: Schema = {
  os_hidden: { type: "boolean", description: "Whether lists leave the image out unless asked for hidden images." },
};

const hashProperties: Schema = {
  os_hash_algo: { ...readOnly("Algorithm of os_hash_value.", nullableText), maxLength: 64 },
  os_hash_value: { ...readOnly("Hash of the image data, in hex.", nullableText), maxLength: 128 },
};

const validationData: Schema = {
  type: "object",
  description: "What the data of a new location hashes to.",
  writeOnly: true,
  additionalProperties: false,
  properties: {
    checksum: { type: "string", minLength: 32, maxLength: 32 },
    os_hash_algo: { type: "string", maxLength: 64 },
    os_hash_value: { type: "string", maxLength: 128 },
  },
  required: ["os_hash_algo", "os_hash_value"],
};

/** Custom properties that many clouds share; `is_base` tells clients that they are no attributes of the service. */
const knownProperties: Schema = {
  kernel_id: {
    type: nullableText,
    description: "Image that holds the kernel this image is booted with.",
    pattern: uuidPattern,
    is_base: false,
  },
  ramdisk_id: {
    type: nullableText,
    description: "Image that holds the ramdisk this image is booted with.",
    pattern: uuidPattern,
    is_base: false,
  },
  instance_uuid: {
    type: "string",
    description: "Server the image was made from. A record only: nothing is done with it.",
    is_base: false,
  },
  architecture: { type: "string", description: "Processor architecture the image is for.", is_base: false },
  os_distro: { type: "string", description: "Short name of the operating system distribution.", is_base: false },
  os_version: {
    type: "string",
    description: "Version of the operating system, as its maker gives it.",
    is_base: false,
  },
};

const volumeKeyProperties: Schema = {
  description: { type: "string", description: "What people should know of the image.", is_base: false },
  cinder_encryption_key_id: {
    type: "string",
    description: "Key of the encrypted volume the image was made from, in the key manager.",
    is_base: false,
  },
  [volumeKeyPolicy.property]: {
    type: "string",
    description: "What becomes of that key when the image is deleted.",
    enum: volumeKeyPolicy.values,
    is_base: false,
  },
};

const member: Schema = {
  name: "member",
  properties: {
    member_id: { type: "string", description: "Project the image is shared with." },
    image_id: { type: "string", description: "Identifier of the image.", pattern: uuidPattern },
    created_at: { type: "string", description: "When the image was shared." },
    updated_at: { type: "string", description: "When the share was last changed." },
    status: { type: "string", description: "What the member made of the offer.", enum: memberStatuses },
    schema: { type: "string", readOnly: true },
  },
};

function taskSchema({ tasksOfImages }: Pick<Capabilities, "tasksOfImages">): Schema {
  // Absent from tasks of nodes that do not keep them; null where an image's tasks are listed.
  const ofImages: Schema = {
    image_id: { type: nullableText, description: "Image the task is about." },
    request_id: { type: nullableText, description: "Request that made the task." },
    user_id: { type: nullableText, description: "User who made the request." },
  };
  return {
    name: "task",
    properties: {
      id: { type: "string", description: "Identifier of the task.", pattern: uuidPattern },
      // All that lists show, not only what clients may make: the glance client checks tasks against this.
      type: {
        type: "string",
        description: "What the task does.",
        enum: ["import", "api_image_import", "location_import"],
      },
      status: {
        type: "string",
        description: "How far the task is.",
        enum: ["pending", "processing", "success", "failure"],
      },
      input: { type: nullableObject, description: "What the task was given." },
      result: { type: nullableObject, description: "What came of the task." },
      owner: { type: nullableText, description: "Project the task belongs to." },
      message: { type: "string", description: "What people should know of how the task stands." },
      ...(tasksOfImages ? ofImages : {}),
      expires_at: { type: nullableText, description: "When the finished task is forgotten." },
      created_at: { type: "string", description: "When the task was made." },
      updated_at: { type: "string", description: "When the task last got on." },
      self: { type: "string", readOnly: true },
      schema: { type: "string", readOnly: true },
    },
  };
}
