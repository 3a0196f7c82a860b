// Follows a paste file from the flavor's entry to the API and collects the filters a request passes on that way: pipelines, composites that
// lead by path to other entries, and `use`, by which a section stands on another one.
import { ServiceError } from "../../core/errors.ts";
import { type Filter, filterKindOf } from "./filter.ts";
import type { PasteFile, PasteSection } from "./paste-file.ts";

const entryName = "glance-api";
const entryTypes = ["pipeline", "composite", "composit", "app", "application"];
/** Where entries lead through more sections than this, they lead in a circle. */
const depthMax = 16;

/** The flavors there are entries for; without a suffix it is `none`. */
export function flavorsOf(paste: PasteFile): readonly string[] {
  const names = paste.sections.filter((section) => entryTypes.includes(section.type)).map((section) => section.name);
  return names.flatMap((name) => {
    if (name === entryName) return ["none"];
    return name.startsWith(`${entryName}-`) ? [name.slice(entryName.length + 1)] : [];
  });
}

/** In the order requests meet them; undefined where the file has no entry for the flavor. Throws config.invalid. */
export function filtersOf(paste: PasteFile, flavor: string): readonly Filter[] | undefined {
  const name = flavor === "none" ? entryName : `${entryName}-${flavor.toLowerCase()}`;
  return find(paste, name, entryTypes) && follow(paste, name, 0);
}

function follow(paste: PasteFile, name: string, depth: number): readonly Filter[] {
  if (depth > depthMax) throw invalid(paste, `[${name}] leads to itself`);
  const section = find(paste, name, entryTypes);
  // An application of another file or package: the end of the way.
  if (!section) {
    if (/^(egg|config|call):/.test(name)) return [];
    throw invalid(paste, `"${name}" is named as an application, but has no section`);
  }
  const { options } = section;
  const around = words(options.filter_with).map((filter) => filterOf(paste, filter));
  if (section.type === "pipeline") {
    const parts = words(options.pipeline);
    const app = parts.pop();
    if (app === undefined) throw invalid(paste, `[pipeline:${name}] names no application`);
    const filters = parts.map((part) => filterOf(paste, part));
    return [...around, ...filters, ...follow(paste, app, depth + 1)];
  }
  if (section.type.startsWith("composit")) return [...around, ...followPaths(paste, section, depth)];
  const base = options.use;
  return base !== undefined && find(paste, base, entryTypes) ? [...around, ...follow(paste, base, depth + 1)] : around;
}

/** The way of `/v2`, and a health check that stands beside it on a path of its own. */
function followPaths(paste: PasteFile, section: PasteSection, depth: number): readonly Filter[] {
  const paths = Object.entries(section.options).filter(([path]) => path.startsWith("/"));
  const leads = paths.filter(([path]) => "/v2/".startsWith(path.endsWith("/") ? path : `${path}/`));
  const [, app] = leads.sort(([one], [other]) => other.length - one.length)[0] ?? [];
  const beside = paths.flatMap(([path, name]) => {
    const target = find(paste, name, entryTypes);
    if (!target || filterKindOf(programOf(paste, target)) !== "healthcheck") return [];
    return [{ name, kind: "healthcheck" as const, options: { ...ownOptions(paste, target), path } }];
  });
  return [...beside, ...(app === undefined ? [] : follow(paste, app, depth + 1))];
}

function filterOf(paste: PasteFile, name: string): Filter {
  const section = find(paste, name, ["filter"]);
  if (section) return { name, kind: filterKindOf(programOf(paste, section)), options: ownOptions(paste, section) };
  if (name.startsWith("egg:")) return { name, kind: filterKindOf(name), options: {} };
  throw invalid(paste, `"${name}" stands in a pipeline, but there is no [filter:${name}]`);
}

const factories = ["paste.filter_factory", "paste.filter_app_factory", "paste.app_factory", "paste.composite_factory"];

/** What a section runs: its factory, or what it uses, here or through the section it stands on. */
function programOf(paste: PasteFile, section: PasteSection): string {
  for (const { options } of basesOf(paste, section))
    for (const factory of factories) if (options[factory] !== undefined) return options[factory];
  return basesOf(paste, section).at(-1)?.options.use ?? "";
}

function ownOptions(paste: PasteFile, section: PasteSection): Readonly<Record<string, string>> {
  const bases = [...basesOf(paste, section)].reverse();
  const merged = Object.assign({}, ...bases.map((base) => base.options)) as Record<string, string>;
  return Object.fromEntries(Object.entries(merged).filter(([name]) => name !== "use" && !name.startsWith("paste.")));
}

/** The section itself, then those it stands on by `use`. */
function basesOf(paste: PasteFile, section: PasteSection): readonly PasteSection[] {
  const bases = [section];
  for (let last = section; last.options.use !== undefined && bases.length <= depthMax; ) {
    const base = find(paste, last.options.use, [section.type]);
    if (!base || bases.includes(base)) break;
    bases.push(base);
    last = base;
  }
  return bases;
}

function find(paste: PasteFile, name: string, types: readonly string[]): PasteSection | undefined {
  return paste.sections.find((one) => one.name === name.toLowerCase() && types.includes(one.type));
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}

function invalid(paste: PasteFile, why: string): ServiceError {
  return new ServiceError("config.invalid", `${paste.file}: ${why}`, { facts: { file: paste.file } });
}
