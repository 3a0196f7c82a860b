// Configuration options are declared once, as data: this one table validates glance-api.conf, prints `config show` and
// writes docs/configuration.md. Each room declares its options in its own config.ts; config.ts beside this file reads the files.

type Common = {
  readonly help: string;
  /** Never printed: passwords, and URLs that hold one. */
  readonly secret?: true;
  /** Older names that are still read, as `section.option`. */
  readonly deprecated?: readonly string[];
};

export type OptionSpec =
  | (Common & { readonly type: "string"; readonly default: string | null; readonly choices?: readonly string[] })
  | (Common & {
      readonly type: "integer";
      readonly default: number | null;
      readonly min?: number;
      readonly max?: number;
    })
  | (Common & {
      readonly type: "number";
      readonly default: number | null;
      readonly min?: number;
      readonly max?: number;
    })
  /** Without a default where it depends on something else, such as the release. */
  | (Common & { readonly type: "boolean"; readonly default: boolean | null })
  /** `a,b` or `[a,b]`, as oslo.config writes them. */
  | (Common & { readonly type: "list"; readonly default: readonly string[] })
  /** May stand several times. */
  | (Common & { readonly type: "multi"; readonly default: readonly string[] });

export type OptionValue<S extends OptionSpec> = S extends { type: "string" }
  ? S extends { default: string }
    ? string
    : string | null
  : S extends { type: "integer" | "number" }
    ? S extends { default: number }
      ? number
      : number | null
    : S extends { type: "boolean" }
      ? S extends { default: boolean }
        ? boolean
        : boolean | null
      : readonly string[];

export type OptionGroup<T extends Readonly<Record<string, OptionSpec>> = Readonly<Record<string, OptionSpec>>> = {
  /** The INI section, without brackets. */
  readonly section: string;
  readonly options: T;
};

export type GroupValues<G extends OptionGroup> = { readonly [K in keyof G["options"]]: OptionValue<G["options"][K]> };

/** Declares the options of one section; several rooms may declare parts of the same section. */
export function optionGroup<const T extends Readonly<Record<string, OptionSpec>>>(
  section: string,
  options: T,
): OptionGroup<T> {
  return { section, options };
}
