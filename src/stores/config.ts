// Which stores there are: several by name ([DEFAULT] enabled_backends, from Rocky on), or those of [glance_store].
// What each of them needs to know stands in its driver's own config.ts.
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { optionGroup } from "../core/options.ts";
import { readForeignNodes } from "./proxy/config.ts";

export const enabledStoresOptions = optionGroup("DEFAULT", {
  enabled_backends: {
    type: "list",
    default: [],
    help: "Several stores, from Rocky on: `fast:file,cheap:s3`, each with a section of its name that holds the options of [glance_store] for it, and its description and weight. Empty: the stores of [glance_store].",
  },
});

export const storeOptions = optionGroup("glance_store", {
  stores: {
    type: "list",
    default: ["file", "http"],
    help: "Kinds of stores this node can use, where enabled_backends is empty: file, http, swift, s3, rbd. Kinds that Perennial does not have are left out.",
  },
  default_store: {
    type: "string",
    default: "file",
    help: "The one of `stores` that new image data goes to, where enabled_backends is empty; by its name or by the scheme of its locations.",
  },
  default_backend: {
    type: "string",
    default: null,
    help: "The one of enabled_backends that new image data goes to where a client names none. Required with enabled_backends.",
  },
});

/** Of the section of each store in enabled_backends. */
export const namedStoreOptions = {
  store_description: {
    type: "string",
    default: null,
    help: "What clients are told about the store. In the section of a store of enabled_backends.",
  },
  weight: {
    type: "integer",
    default: 0,
    help: "Locations in stores of greater weight are read first, from 2023.2 on. In the section of a store of enabled_backends.",
  },
} as const;

export type StoreSection = {
  readonly id: string;
  /** As configured; the driver's own name for it may be another. */
  readonly type: string;
  readonly section: string;
};

/** Kinds of the reference that are not here; their names may stand in an old [glance_store] stores. */
const foreignTypes = ["cinder", "vmware", "vsphere", "sheepdog", "gridfs"];
/** Sections of other rooms, and names the reference keeps for itself. */
const takenNames =
  /^(?:os_glance_.*|glance_store|default|database|keystone_authtoken|paste_deploy|perennial|oslo_.*|image_.*|task.*)$/i;

/** What enabled_backends lists, with a section of its own each. Throws config.invalid. */
export function readEnabledStores(config: Pick<Config, "read">): readonly StoreSection[] {
  const found: StoreSection[] = [];
  for (const text of config.read(enabledStoresOptions).enabled_backends) {
    const [, id, type] = /^([A-Za-z0-9][\w.-]{0,254}):(\w+)$/.exec(text.replaceAll(/\s/g, "")) ?? [];
    if (id === undefined || type === undefined)
      throw invalid("DEFAULT", "enabled_backends", text, "give stores as name:type, such as fast:file,cheap:s3.");
    if (takenNames.test(id))
      throw invalid("DEFAULT", "enabled_backends", text, `the name ${id} is taken; call the store something else.`);
    if (found.some((other) => other.id === id))
      throw invalid("DEFAULT", "enabled_backends", text, `there are two stores called ${id}.`);
    found.push({ id, type, section: id });
  }
  return found;
}

export type StoreChoice = {
  readonly multiStore: boolean;
  readonly sections: readonly StoreSection[];
  readonly defaultId: string;
};

/**
 * `typeOf`: the driver's name for a type or an alias of it; undefined where there is none. `multiStoreKnown`: whether the release has several
 * stores; one that has not ignores their options, as it always did. Throws config.invalid.
 */
export function readStoreChoice(
  config: Pick<Config, "read">,
  { typeOf, multiStoreKnown }: { typeOf: (name: string) => string | undefined; multiStoreKnown: boolean },
): StoreChoice {
  const enabled = multiStoreKnown ? readEnabledStores(config) : [];
  const options = config.read(storeOptions);
  if (enabled.length > 0) {
    const sections = enabled.flatMap((one) => {
      const type = typeOf(one.type);
      if (type !== undefined) return { ...one, type };
      if (!foreignTypes.includes(one.type)) throw unknownStore(one, "There is no such type of store.");
      // Images there are had by way of the nodes that have it.
      if (readForeignNodes(config).length > 0) return [];
      throw unknownStore(
        one,
        "Perennial has no such type of store; name Glance nodes that have it in [perennial] foreign_store_proxy, or take it out.",
      );
    });
    const { default_backend: wanted } = options;
    if (wanted === null)
      throw invalid("glance_store", "default_backend", "", `with enabled_backends, name one of ${idsOf(sections)}.`);
    if (!sections.some(({ id }) => id === wanted))
      throw invalid("glance_store", "default_backend", wanted, `it is none of enabled_backends: ${idsOf(sections)}.`);
    return { multiStore: true, sections, defaultId: wanted };
  }
  const types = options.stores.flatMap((name) => {
    const type = typeOf(name);
    if (type === undefined && !foreignTypes.includes(name))
      throw invalid("glance_store", "stores", name, "there is no such kind of store.");
    return type ?? [];
  });
  const defaultId = typeOf(options.default_store);
  if (defaultId === undefined)
    throw invalid("glance_store", "default_store", options.default_store, "there is no such kind of store.");
  if (!types.includes(defaultId))
    throw invalid(
      "glance_store",
      "stores",
      options.stores.join(","),
      `it must contain ${defaultId}, the default store.`,
    );
  const sections = [...new Set(types)].map((type) => ({ id: type, type, section: "glance_store" }));
  return { multiStore: false, sections, defaultId };
}

function unknownStore({ id, type }: StoreSection, what: string): ServiceError {
  return invalid("DEFAULT", "enabled_backends", `${id}:${type}`, what);
}

function idsOf(sections: readonly StoreSection[]): string {
  return sections.map(({ id }) => id).join(", ");
}

/** For drivers too: `[section] option is "value": what`. */
export function invalid(section: string, option: string, value: string, what: string): ServiceError {
  return new ServiceError("config.invalid", `[${section}] ${option} is "${value}": ${what}`, {
    facts: { section, option },
  });
}
