// Finds the configuration files of a command where Glance looks for them.
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { errorText, ServiceError } from "./errors.ts";

const project = "glance";

/**
 * What `--config-file` and `--config-dir` name, in that order and nothing else; without either the first of each of
 * glance.conf, glance-image-import.conf, glance-api.conf, PROGRAM.conf (later ones win) found in ~/.glance, ~, /etc/glance and /etc, then the *.conf files
 * of folders named after them (`glance-api.conf.d`). Throws config.invalid where a named folder cannot be read.
 */
export function findConfigFiles(
  program: string,
  argvFiles: readonly string[],
  argvDirectories: readonly string[],
): readonly string[] {
  if (argvFiles.length > 0 || argvDirectories.length > 0)
    return [...argvFiles.map((file) => resolve(file)), ...argvDirectories.flatMap((directory) => filesOf(directory))];
  const home = homedir();
  const places = [join(home, `.${project}`), home, `/etc/${project}`, "/etc"];
  const names = [...new Set([project, `${project}-image-import`, `${project}-api`, program])];
  const firstOf = (name: string) => places.map((place) => join(place, name)).find((path) => existsSync(path));
  const found = (suffix: string) =>
    names.flatMap((name) => {
      const path = firstOf(`${name}${suffix}`);
      return path === undefined ? [] : [path];
    });
  return [...found(".conf"), ...found(".conf.d").flatMap((directory) => filesOf(directory))];
}

/**
 * Where a file or folder is that an option names, such as policy_file: beside the configuration files, the last one first, then in
 * ~/.glance, ~, /etc/glance and /etc. undefined where it is nowhere.
 */
export function findBesideConfig(name: string, configFiles: readonly string[]): string | undefined {
  const home = homedir();
  const folders = [
    ...configFiles.map((file) => dirname(file)).reverse(),
    join(home, `.${project}`),
    home,
    `/etc/${project}`,
    "/etc",
  ];
  const paths = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
  return paths.find((path) => existsSync(path));
}

function filesOf(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => resolve(directory, name));
  } catch (error) {
    const message = `cannot read the configuration folder ${directory}: ${errorText(error)}`;
    throw new ServiceError("config.invalid", message, { facts: { directory }, cause: error });
  }
}
