// Unified limits: how much of what a project may have, as Keystone says; what it has is counted elsewhere.
import type { Clock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { optionGroup } from "../../core/options.ts";
import { credentialOptions, readCredentials } from "./credentials.ts";
import { KeystoneClient, unavailable } from "./keystone-client.ts";
import { Recent } from "./recent.ts";
import { ServiceSession } from "./service-session.ts";

const section = "oslo_limit";

export const limitOptions = optionGroup(section, {
  ...credentialOptions(section).options,
  endpoint_id: {
    type: "string",
    default: null,
    help: "Id of this service's endpoint in Keystone, for use_keystone_limits: the limits of its service and region count.",
  },
});

/** Limits by their names; what is not there is 0, as Keystone means it. */
export type NamedLimits = Readonly<Record<string, number>>;

export type KeystoneLimits = {
  /** The project's own limits, and where it has none those that are registered. Throws identity.unavailable. */
  of(projectId: string | null): Promise<NamedLimits>;
  close(): Promise<void>;
};

/** Short: an operator who raises a limit should see it raised. */
const keptMs = 5_000;
const projectsMax = 1_000;
const answerMsMax = 10_000;
const retriesMax = 3;

type Endpoint = { readonly serviceId: string; readonly regionId: string | null };
type Limit = { readonly resource_name?: unknown; readonly default_limit?: unknown; readonly resource_limit?: unknown };

/** Asks nothing yet. Throws config.invalid. */
export function openKeystoneLimits(
  config: Pick<Config, "read">,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): KeystoneLimits {
  const options = config.read(limitOptions);
  const endpointId = options.endpoint_id;
  if (!endpointId) {
    const message = "[oslo_limit] endpoint_id is not set; [DEFAULT] use_keystone_limits needs it.";
    throw new ServiceError("config.invalid", message, { facts: { section, option: "endpoint_id" } });
  }
  const settings = { ...readCredentials(section, options), answerMsMax, retriesMax };
  const client = new KeystoneClient(settings);
  const session = new ServiceSession({ settings, client, clock, logger });
  const known = new Recent<NamedLimits>(projectsMax);
  const asked = new Map<string, Promise<NamedLimits>>();
  let endpoint: Endpoint | null = null;

  async function get<T>(path: string): Promise<T> {
    const answer = await session.call(path);
    if (answer.status === 200 && typeof answer.body === "object" && answer.body !== null) return answer.body as T;
    const advice = answer.status === 403 ? "; give the user of [oslo_limit] the role reader on the system" : "";
    throw unavailable({ method: "GET", url: path }, `its answer (${answer.status}) was not about limits${advice}`);
  }

  async function findEndpoint(id: string): Promise<Endpoint> {
    const found = await get<{ endpoint?: { service_id?: unknown; region_id?: unknown } }>(
      `/endpoints/${encodeURIComponent(id)}`,
    );
    const { service_id: serviceId, region_id: regionId } = found.endpoint ?? {};
    if (typeof serviceId !== "string")
      throw unavailable({ method: "GET", url: "/endpoints" }, "there is no service in it");
    return { serviceId, regionId: typeof regionId === "string" ? regionId : null };
  }

  async function ask(projectId: string | null): Promise<NamedLimits> {
    endpoint ??= await findEndpoint(endpointId ?? "");
    const { serviceId, regionId } = endpoint;
    const of = new URLSearchParams({ service_id: serviceId, ...(regionId === null ? {} : { region_id: regionId }) });
    const own = new URLSearchParams([...of, ["project_id", projectId ?? ""]]);
    const [registered, project] = await Promise.all([
      get<{ registered_limits?: readonly Limit[] }>(`/registered_limits?${of}`),
      projectId === null ? { limits: [] } : get<{ limits?: readonly Limit[] }>(`/limits?${own}`),
    ]);
    return {
      ...named(registered.registered_limits, "default_limit"),
      ...named(project.limits, "resource_limit"),
    };
  }

  return {
    async of(projectId) {
      const key = projectId ?? "";
      const limits = known.get(key, clock.monotonicMs());
      if (limits) return limits;
      const asking = asked.get(key) ?? ask(projectId).finally(() => asked.delete(key));
      asked.set(key, asking);
      const found = await asking;
      known.set(key, found, clock.monotonicMs() + keptMs);
      return found;
    },
    close: () => client.close(),
  };
}

function named(limits: readonly Limit[] | undefined, value: "default_limit" | "resource_limit"): NamedLimits {
  if (!Array.isArray(limits)) throw unavailable({ method: "GET", url: "/limits" }, "its answer has no list of limits");
  return Object.fromEntries(
    (limits as readonly Limit[]).flatMap((limit) => {
      const number = limit[value];
      return typeof limit.resource_name === "string" && typeof number === "number"
        ? [[limit.resource_name, number]]
        : [];
    }),
  );
}
