// The health check as operators set it up: which path it answers on, and which file takes the node out of rotation.
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import { readWithFilter } from "../../core/filter-options.ts";
import { optionGroup } from "../../core/options.ts";
import type { Pipeline } from "./pipeline.ts";

export const healthcheckOptions = optionGroup("healthcheck", {
  path: {
    type: "string",
    default: "/healthcheck",
    help: "Where the health check answers. It always answers at /healthcheck too, since rollouts and balancers ask there.",
  },
  backends: {
    type: "list",
    default: ["disable_by_file"],
    help: "What takes the node out of rotation, beside its own state: disable_by_file, disable_by_files_ports.",
  },
  disable_by_file_path: {
    type: "string",
    default: "/etc/glance/healthcheck_disable",
    help: "While this file exists, /healthcheck answers 503 DISABLED BY FILE, so that balancers take the node out of rotation. Empty: no file is looked for.",
  },
  disable_by_file_paths: {
    type: "list",
    default: [],
    help: "For disable_by_files_ports: files as PORT:PATH, of which the one with this node's bind_port counts.",
  },
});

/** Options of the paste file's filter go before those of [healthcheck]. Throws config.invalid. */
export function readHealthcheckPath(config: Pick<Config, "read">, pipeline: Pick<Pipeline, "healthcheck">): string {
  const { path } = readWithFilter(config, healthcheckOptions, pipeline.healthcheck);
  if (!/^\/[^\s?#]*$/.test(path)) throw invalid("path", path, "give a path that begins with a slash");
  return path;
}

/** Files of which each takes the node out of rotation while it exists. `port`: the one the node listens on. Throws config.invalid. */
export function readDisableFiles(
  config: Pick<Config, "read">,
  pipeline: Pick<Pipeline, "healthcheck">,
  port: number,
): readonly string[] {
  const options = readWithFilter(config, healthcheckOptions, pipeline.healthcheck);
  const byPort = options.disable_by_file_paths.flatMap((text) => fileOf(text, port));
  const files = [
    ...(options.backends.includes("disable_by_file") ? [options.disable_by_file_path] : []),
    ...(options.backends.includes("disable_by_files_ports") ? byPort : []),
  ];
  return files.filter((file) => file !== "");
}

function fileOf(text: string, port: number): readonly string[] {
  const [, given = "", file = ""] = /^\s*(\d+):(.+?)\s*$/.exec(text) ?? [];
  if (given === "") throw invalid("disable_by_file_paths", text, "give PORT:PATH");
  return Number(given) === port ? [file] : [];
}

function invalid(option: string, value: string, advice: string): ServiceError {
  return new ServiceError("config.invalid", `[healthcheck] ${option} is "${value}": ${advice}.`, {
    facts: { section: "healthcheck", option, value },
  });
}
