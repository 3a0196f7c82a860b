// The kinds of stores there are, and the stores of this node made of them.
import type { Config } from "../core/config.ts";
import type { StopStack } from "../core/lifecycle.ts";
import { type OptionGroup, type OptionSpec, optionGroup } from "../core/options.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { invalid, namedStoreOptions, readEnabledStores, readStoreChoice, type StoreSection } from "../stores/config.ts";
import type { StoreDriver, StorePlan } from "../stores/driver.ts";
import { fileDriver } from "../stores/file/config.ts";
import { httpDriver } from "../stores/http/config.ts";
import { rbdDriver } from "../stores/rbd/config.ts";
import { createStoreRegistry, type NamedStore, type StoreRegistry } from "../stores/registry.ts";
import { s3Driver } from "../stores/s3/config.ts";
import { swiftDriver } from "../stores/swift/config.ts";

const drivers: readonly StoreDriver[] = [fileDriver, httpDriver, rbdDriver, s3Driver, swiftDriver];

/** Options of all kinds of stores, as they stand in [glance_store]. */
export const classicStoreGroups: readonly OptionGroup[] = drivers.map(({ options }) =>
  optionGroup("glance_store", options),
);

type PlannedStore = { readonly section: StoreSection; readonly plan: StorePlan };

function driverOf(type: string): StoreDriver | undefined {
  return drivers.find((driver) => driver.aliases.includes(type));
}

/** A group for the section of each store in enabled_backends. Throws config.invalid. */
export function namedStoreGroups(config: Pick<Config, "read">): readonly OptionGroup[] {
  return readEnabledStores(config).flatMap(({ id, type }) => {
    const driver = driverOf(type);
    if (!driver) return [];
    const own = driver.ownDefaults?.(id) ?? {};
    const options = Object.entries(driver.options).map(([name, spec]): [string, OptionSpec] =>
      spec.type === "string" && own[name] !== undefined ? [name, { ...spec, default: own[name] }] : [name, spec],
    );
    return [optionGroup(id, { ...namedStoreOptions, ...Object.fromEntries(options) })];
  });
}

type StoreCapabilities = Pick<Capabilities, "locationStoreKey" | "stores">;

/** Judges everything about stores that can be judged without opening one. Throws config.invalid. */
export function planStores(
  config: Pick<Config, "read">,
  { locationStoreKey }: StoreCapabilities,
): { readonly multiStore: boolean; readonly defaultId: string; readonly planned: readonly PlannedStore[] } {
  const choice = readStoreChoice(config, {
    typeOf: (name) => driverOf(name)?.type,
    multiStoreKnown: locationStoreKey !== null,
  });
  const places = new Map<string, string>();
  const planned = choice.sections.map((section): PlannedStore => {
    const plan = driverOf(section.type)?.configure(config, section.section);
    if (!plan) throw new Error(`no driver of type ${section.type}`);
    for (const place of plan.places) {
      const other = places.get(place);
      // The same URL would be two locations of an image, and removing the one would take the data of both.
      if (other !== undefined)
        throw invalid("DEFAULT", "enabled_backends", `${other}, ${section.id}`, `both write to ${place}.`);
      places.set(place, section.id);
    }
    return { section, plan };
  });
  return { multiStore: choice.multiStore, defaultId: choice.defaultId, planned };
}

/** Opens the stores; `stack` gets what has to be closed. Throws config.invalid, stores.unavailable. */
export async function openStores(
  config: Pick<Config, "read">,
  capabilities: StoreCapabilities,
  stack: StopStack,
): Promise<StoreRegistry> {
  const { multiStore, defaultId, planned } = planStores(config, capabilities);
  const stores: NamedStore[] = [];
  for (const { section, plan } of planned) {
    const store = await plan.open();
    stack.defer(() => store.close());
    const { store_description: description, weight } = multiStore
      ? config.read(optionGroup(section.id, namedStoreOptions))
      : { store_description: null, weight: 0 };
    stores.push({ id: section.id, type: section.type, description, weight, store });
  }
  const key = multiStore ? capabilities.locationStoreKey : null;
  return createStoreRegistry({ stores, defaultId, key, weighed: capabilities.stores.weights });
}
