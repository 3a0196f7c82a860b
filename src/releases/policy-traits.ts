// What a release does about the operator's policy; the rules themselves stand in identity/policy/defaults/.

export type PolicyTraits = {
  /** Defaults were installed as a policy.json, which is all there is where an operator wrote one; or they stand in the code, below the operator's. */
  readonly defaultsIn: "file" | "code";
  /** Rules ask for the roles reader and member, and say themselves whose an image is, where enforce_new_defaults is on. */
  readonly personas: boolean;
  /** What enforce_new_defaults is where the operator does not say. */
  readonly newDefaults: boolean;
  /** Whether tokens of the system or of a domain are refused where a rule is for projects. `option*`: as enforce_scope says, with that default. */
  readonly scope: "never" | "option-off" | "option-on" | "always";
  /** Who may do neither what was asked nor get_image is told that there is no image; before, that it is forbidden. */
  readonly hidesUnreadable: boolean;
  /** Images that get_image refuses, and members who are others, are left out of lists; before, who sees no member is refused the list. */
  readonly filtersLists: boolean;
  /** Changes of nothing but locations ask the rules of locations alone; before, modify_image too, and first. */
  readonly locationsByOwnRules: boolean;
  /** Groups of rules that came later, by their first release's trait. */
  readonly communityRule: boolean;
  readonly tasksAccessRule: boolean;
  readonly copyRule: boolean;
  readonly metadefAdminRules: boolean;
  /** There are rules for deleting metadata definitions. */
  readonly metadefRemoveRules: boolean;
  /** Beside the rules, metadata definitions are changed by the project they belong to and by admins alone. */
  readonly metadefOwnership: boolean;
  readonly storesDetailRule: boolean;
  readonly cacheRules: boolean;
  readonly serviceRules: boolean;
  readonly storeChoiceRules: boolean;
  /** Who has the role of [DEFAULT] admin_role is an admin, whatever the policy says. */
  readonly adminRoleOption: boolean;
  /** [DEFAULT] enforce_secure_rbac has to say what [oslo_policy] enforce_new_defaults says. */
  readonly secureRbacOption: boolean;
  /** A property protection file never keeps anybody from the service's own properties (os_glance*). */
  readonly unprotectsOwnProperties: boolean;
};

export const firstPolicy: PolicyTraits = {
  defaultsIn: "file",
  personas: false,
  newDefaults: false,
  scope: "never",
  hidesUnreadable: false,
  filtersLists: false,
  locationsByOwnRules: false,
  communityRule: false,
  tasksAccessRule: false,
  copyRule: false,
  metadefAdminRules: false,
  metadefRemoveRules: false,
  metadefOwnership: true,
  storesDetailRule: false,
  cacheRules: false,
  serviceRules: false,
  storeChoiceRules: false,
  adminRoleOption: true,
  secureRbacOption: false,
  unprotectsOwnProperties: false,
};

export const ocataPolicy: PolicyTraits = { ...firstPolicy, communityRule: true };

export const pikePolicy: PolicyTraits = { ...ocataPolicy, tasksAccessRule: true };

export const ussuriPolicy: PolicyTraits = {
  ...pikePolicy,
  defaultsIn: "code",
  copyRule: true,
  metadefRemoveRules: true,
};

export const wallabyPolicy: PolicyTraits = {
  ...ussuriPolicy,
  personas: true,
  scope: "option-off",
  metadefAdminRules: true,
  adminRoleOption: false,
  secureRbacOption: true,
};

/** Decided in the API layer from here on. */
export const xenaPolicy: PolicyTraits = {
  ...wallabyPolicy,
  hidesUnreadable: true,
  filtersLists: true,
  locationsByOwnRules: true,
  metadefOwnership: false,
};

export const yogaPolicy: PolicyTraits = { ...xenaPolicy, storesDetailRule: true, cacheRules: true };

export const antelopePolicy: PolicyTraits = {
  ...yogaPolicy,
  newDefaults: true,
  scope: "option-on",
  secureRbacOption: false,
};

export const dalmatianPolicy: PolicyTraits = { ...antelopePolicy, serviceRules: true };

export const gazpachoPolicy: PolicyTraits = {
  ...dalmatianPolicy,
  scope: "always",
  storeChoiceRules: true,
  unprotectsOwnProperties: true,
};
