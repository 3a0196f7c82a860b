// Defaults since Ussuri, which stand below whatever the operator wrote. First everybody passes but where admins are named; since Wallaby
// rules ask for the roles reader and member in the owning project, and everybody passes until enforce_new_defaults is on.
import type { PolicyTraits } from "../../../releases/policy-traits.ts";
import type { DefaultRule } from "./default-rule.ts";
import { metadefReadRules, metadefRemoveRules, metadefWriteRules, ownerImageRules, taskRules } from "./rule-names.ts";

const admin = "role:admin";
const inProject = "project_id:%(project_id)s";
const isMember = "project_id:%(member_id)s";
const isPublic = "'public':%(visibility)s";
// Foreign images that are shared with others never come this far: the database does not show them.
const seen = `(${inProject} or ${isMember} or 'community':%(visibility)s or ${isPublic} or 'shared':%(visibility)s)`;

const ownerMember = `role:member and ${inProject}`;
const adminOr = (rule: string) => `${admin} or (${rule})`;
const adminOrOwnerMember = adminOr(ownerMember);
const adminOrOwnerReader = adminOr(`role:reader and ${inProject}`);
const memberSeer = `role:reader and (${inProject} or ${isMember})`;
const namespaceReader = adminOr(`role:reader and (${inProject} or ${isPublic})`);

const forProjects = ({ name, ...rest }: DefaultRule): DefaultRule => ({ name, ...rest, projectsOnly: true });
const named = (rule: string, names: readonly string[]) => names.map((name): DefaultRule => ({ name, rule }));

/** Ussuri's and Victoria's: no roles but admin. */
function plainRules(): readonly DefaultRule[] {
  const everyones = [
    ...ownerImageRules,
    "add_image",
    "get_image",
    "get_images",
    "communitize_image",
    "download_image",
    "delete_image_location",
    "get_image_location",
    "get_member",
    "get_members",
    "modify_member",
    "get_metadef_namespaces",
    ...metadefReadRules,
    ...metadefWriteRules,
    ...metadefRemoveRules,
  ];
  return named("rule:default", everyones);
}

function personaRules(): readonly DefaultRule[] {
  const images: readonly DefaultRule[] = [
    { name: "add_image", rule: adminOr(`${ownerMember} and project_id:%(owner)s`) },
    ...named(adminOrOwnerMember, [...ownerImageRules, "communitize_image"]),
    { name: "get_image", rule: adminOr(`role:reader and ${seen}`) },
    { name: "download_image", rule: adminOr(`role:member and ${seen}`) },
    ...named(adminOrOwnerReader, ["get_images", "get_image_location"]),
    { name: "delete_image_location", rule: admin },
    ...named(adminOr(memberSeer), ["get_member", "get_members"]),
    { name: "modify_member", rule: adminOr(`role:member and ${isMember}`) },
  ];
  const metadefs: readonly DefaultRule[] = [
    { name: "get_metadef_namespaces", rule: adminOrOwnerReader },
    ...named(namespaceReader, metadefReadRules),
  ];
  return [
    ...images.map((rule) => ({ ...rule, legacy: "rule:default" })),
    ...metadefs.map((rule) => ({ ...rule, legacy: "rule:metadef_default" })),
    ...named("rule:metadef_admin", [...metadefWriteRules, ...metadefRemoveRules]),
  ].map(forProjects);
}

function laterRules(traits: PolicyTraits): readonly DefaultRule[] {
  const rules: DefaultRule[] = [];
  if (traits.cacheRules) {
    const names = ["cache_image", "cache_list", "cache_delete", "cache_clean", "cache_prune"];
    rules.push(...names.map((name) => ({ name, rule: admin, legacy: "rule:manage_image_cache" })));
  }
  const service = traits.serviceRules ? `${admin} or rule:service_api` : admin;
  if (traits.storesDetailRule) rules.push({ name: "stores_info_detail", rule: service });
  if (traits.serviceRules)
    rules.push(
      { name: "add_image_location", rule: `rule:service_api or (${ownerMember})` },
      { name: "fetch_image_location", rule: "rule:service_api" },
    );
  if (traits.storeChoiceRules)
    rules.push(
      { name: "download_from_store", rule: adminOr(`role:member and ${seen}`) },
      { name: "list_cached_nodes", rule: admin },
    );
  return rules.map(forProjects);
}

export function rulesInCode(traits: PolicyTraits): readonly DefaultRule[] {
  const admins = named(admin, ["publicize_image", "manage_image_cache", "copy_image", "tasks_api_access"]);
  const tasks = named("rule:default", taskRules);
  return [
    { name: "default", rule: "" },
    { name: "context_is_admin", rule: admin },
    ...(traits.serviceRules ? [{ name: "service_api", rule: "role:service or role:admin" }] : []),
    ...(traits.metadefAdminRules ? [...named("", ["metadef_default"]), ...named(admin, ["metadef_admin"])] : []),
    ...(traits.personas ? personaRules() : plainRules()),
    ...(traits.personas ? [...admins, ...tasks].map(forProjects) : [...admins, ...tasks]),
    ...laterRules(traits),
  ];
}
