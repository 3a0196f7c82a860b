// What a kind of store is to the wiring: its name in the configuration, its options, and how a store is made of them.
import type { Config } from "../core/config.ts";
import type { OptionSpec } from "../core/options.ts";
import type { Store } from "./store.ts";

export type StoreDriver = {
  /** As in `enabled_backends = fast:file`. */
  readonly type: string;
  /** Names of it in [glance_store] stores and default_store. */
  readonly aliases: readonly string[];
  /** Options of a store's section: of [glance_store], or of the one that is called like the store. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Where the default of an option is another in a store's own section. */
  readonly ownDefaults?: (storeId: string) => Readonly<Record<string, string>>;
  /** Judges the options of a section without opening anything. Throws config.invalid, naming section and option. */
  configure(config: Pick<Config, "read">, section: string): StorePlan;
};

export type StorePlan = {
  /** Where the store writes, in a form that is equal for two sections that mean the same place; none: it only gives data. */
  readonly places: readonly string[];
  /** Throws config.invalid, stores.unavailable. */
  open(): Promise<Store>;
};
