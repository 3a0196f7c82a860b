// The policy a release ships with, for operators who wrote none of their own. Up to Ocata nearly every rule lets everybody pass,
// because ownership is enforced by the domain itself.
import type { Caller, Policy } from "../core/caller.ts";

type Rule = (caller: Caller) => boolean;

const everyone: Rule = () => true;
const admin: Rule = (caller) => caller.roles.includes("admin");

/** Rules that are not named here are decided by `default`, which is admin. */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["context_is_admin", admin],
  ["default", admin],
  ["publicize_image", admin],
  ["manage_image_cache", admin],
  ...[
    "add_image",
    "delete_image",
    "get_image",
    "get_images",
    "modify_image",
    "communitize_image",
    "download_image",
    "upload_image",
    "copy_from",
    "delete_image_location",
    "get_image_location",
    "set_image_location",
    "add_member",
    "delete_member",
    "get_member",
    "get_members",
    "modify_member",
    "deactivate",
    "reactivate",
  ].map((name): [string, Rule] => [name, everyone]),
]);

export const defaultPolicy: Policy = {
  allows: (rule, caller) => (rules.get(rule) ?? admin)(caller),
};
