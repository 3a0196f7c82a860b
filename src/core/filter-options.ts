// Options of a library group that may also stand in a filter's section of a paste file, where they go before those of glance-api.conf.
import type { Config } from "./config.ts";
import { convertOption } from "./config-values.ts";
import { ServiceError } from "./errors.ts";
import type { GroupValues, OptionGroup } from "./options.ts";

/**
 * The group's values with the filter's over them; names the group does not know are passed over. `filter`: texts by option, from the section
 * `[filter:NAME]`. Throws config.invalid for a text that is not allowed.
 */
export function readWithFilter<G extends OptionGroup>(
  config: Pick<Config, "read">,
  group: G,
  filter: Readonly<Record<string, string>> | null,
): GroupValues<G> {
  const over = Object.entries(filter ?? {}).flatMap(([name, text]) => {
    const found = Object.entries(group.options).find(([option, spec]) => option === name || isOlderName(spec, name));
    if (!found) return [];
    const [option, spec] = found;
    const converted = convertOption(spec, [text]);
    if (converted.ok) return [[option, converted.value]];
    const shown = spec.secret ? "its value" : JSON.stringify(text);
    const message = `${option} in the paste file, for [${group.section}]: ${shown} is not allowed; allowed: ${converted.allowed}`;
    throw new ServiceError("config.invalid", message, { facts: { section: group.section, option } });
  });
  // Each value was made by its own option's spec, which is what GroupValues says.
  return { ...config.read(group), ...Object.fromEntries(over) } as GroupValues<G>;
}

function isOlderName(spec: { readonly deprecated?: readonly string[] }, name: string): boolean {
  return (spec.deprecated ?? []).some((older) => older.slice(older.indexOf(".") + 1).replaceAll("-", "_") === name);
}
