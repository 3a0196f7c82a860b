// The policy.json that releases up to Train were installed with: nearly everything is everybody's, because the domain itself asks who
// owns an image, and what no rule names is an admin's.
import type { PolicyTraits } from "../../../releases/policy-traits.ts";
import type { DefaultRule } from "./default-rule.ts";
import { metadefReadRules, metadefWriteRules, ownerImageRules, taskRules } from "./rule-names.ts";

const admin = "role:admin";

/** What the reference's code itself falls back to below an operator's own file. */
export const rulesBelowAnyFile: readonly DefaultRule[] = [
  { name: "context_is_admin", rule: admin },
  { name: "default", rule: "@" },
  { name: "manage_image_cache", rule: admin },
];

export function rulesOfInstalledFile(traits: PolicyTraits): readonly DefaultRule[] {
  const everyones = [
    ...ownerImageRules,
    "add_image",
    "get_image",
    "get_images",
    "copy_from",
    "download_image",
    "delete_image_location",
    "get_image_location",
    "get_member",
    "get_members",
    "modify_member",
    "get_metadef_namespaces",
    ...metadefReadRules,
    ...metadefWriteRules,
    ...(traits.communityRule ? ["communitize_image"] : []),
  ];
  const admins = ["context_is_admin", "default", "publicize_image", "manage_image_cache"];
  const tasks = traits.tasksAccessRule
    ? [...taskRules.map((name) => ({ name, rule: "" })), { name: "tasks_api_access", rule: admin }]
    : taskRules.map((name) => ({ name, rule: admin }));
  return [...everyones.map((name) => ({ name, rule: "" })), ...admins.map((name) => ({ name, rule: admin })), ...tasks];
}
