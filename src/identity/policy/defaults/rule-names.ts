// Names of rules that several generations of defaults treat alike.

/** Rules about images that everybody passes while the domain itself asks who owns an image. */
export const ownerImageRules = [
  "delete_image",
  "modify_image",
  "upload_image",
  "set_image_location",
  "add_member",
  "delete_member",
  "deactivate",
  "reactivate",
] as const;

const metadefKinds = ["namespace", "object", "property", "tag"] as const;

export const metadefReadRules = [
  "get_metadef_namespace",
  "get_metadef_object",
  "get_metadef_objects",
  "list_metadef_resource_types",
  "get_metadef_resource_type",
  "get_metadef_property",
  "get_metadef_properties",
  "get_metadef_tag",
  "get_metadef_tags",
] as const;

/** Known from the beginning. */
export const metadefWriteRules: readonly string[] = [
  ...metadefKinds.flatMap((kind) => [`modify_metadef_${kind}`, `add_metadef_${kind}`]),
  "add_metadef_tags",
  "add_metadef_resource_type_association",
];

/** Came with the defaults in code. */
export const metadefRemoveRules: readonly string[] = [
  "delete_metadef_namespace",
  "delete_metadef_object",
  "remove_metadef_property",
  "delete_metadef_tag",
  "delete_metadef_tags",
  "remove_metadef_resource_type_association",
];

export const taskRules = ["get_task", "get_tasks", "add_task", "modify_task"] as const;
