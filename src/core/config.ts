// Reads glance-api.conf as oslo.config does and hands out typed, validated sections.
import type { GroupValues, OptionGroup } from "./options.ts";

/** A set of configuration files, read and validated against every declared option group. */
export interface Config {
  /** The values of one group, defaults filled in. Bad values were refused when the files were read. */
  read<G extends OptionGroup>(group: G): GroupValues<G>;
  /** Files read, in order; later ones win. */
  readonly files: readonly string[];
  /** Options nobody declared (a warning each), as `section.option (file)`. Unknown options of [perennial] were refused. */
  readonly unknown: readonly string[];
}
