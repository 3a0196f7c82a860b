// A private Swift whose accounts are those of a private Keystone's projects, and the service's user, whose role lets it into all of them.
import { type KeystoneServer, type KeystoneUser, startKeystone } from "./keystone.ts";
import { type SwiftServer, startSwift } from "./swift.ts";

/** A project and a member of it. */
export type Person = { readonly id: string; readonly user: KeystoneUser };

export type UsersSwift = {
  readonly keystone: KeystoneServer;
  readonly swift: SwiftServer;
  /** `glance` of project `service`: also whom services ask Keystone as. */
  readonly service: KeystoneUser;
  /** The id of that project. */
  readonly serviceProject: string;
  /** One of project `service` without that role. */
  readonly powerless: KeystoneUser;
  makePerson(name: string): Promise<Person>;
  /** What Swift answers to a person's own token, in an account of the project. */
  ask(person: Person, path: string, account?: string): Promise<Response>;
  stop(): Promise<void>;
};

/** Throws a line that says what to install where something is missing. */
export async function startUsersSwift(): Promise<UsersSwift> {
  const keystone = await startKeystone();
  let swift: SwiftServer | undefined;
  const stop = async () => {
    await swift?.stop();
    await keystone.stop();
  };
  try {
    const project = await keystone.createProject("service");
    const roles = ["admin", "service", "ResellerAdmin"];
    const service = await keystone.createUser({ name: "glance", project, roles });
    const powerless = await keystone.createUser({ name: "powerless", project, roles: ["service"] });
    const started = await startSwift({ keystone, project, user: service });
    swift = started;
    await keystone.createEndpoints("object-store", `${started.url}/v1/AUTH_%(project_id)s`);
    return {
      keystone,
      swift: started,
      service,
      serviceProject: project,
      powerless,
      async makePerson(name) {
        const id = await keystone.createProject(name);
        return { id, user: await keystone.createUser({ name, project: id, roles: ["member"] }) };
      },
      async ask(person, path, account = person.id) {
        const token = await keystone.token(person.user, { project: person.id });
        return fetch(`${started.url}/v1/AUTH_${account}/${path}`, { headers: { "x-auth-token": token } });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
