// A container that is one image's alone: who may read it beside its account, and its end.
import type { Readers } from "../store.ts";
import { discard } from "../wire/http-client.ts";
import { failureOf, type SwiftClient } from "./swift-client.ts";

/** In the reference's form. Throws stores.blob_not_found where there is no such container. */
export async function shareContainer(
  client: SwiftClient,
  container: string,
  { readers, writers }: { readonly readers: Readers; readonly writers: readonly string[] },
): Promise<void> {
  const everyoneOf = (projects: readonly string[]) => projects.map((project) => `${project}:*`).join(",");
  const headers = {
    "x-container-read": readers === "everybody" ? "*:*" : everyoneOf(readers),
    "x-container-write": everyoneOf(writers),
  };
  await client.ask({ method: "POST", container, headers, body: [] });
}

/** Where something of another is in it, or Swift still believes so, it stays. */
export async function removeContainer(client: SwiftClient, container: string): Promise<void> {
  const call = { method: "DELETE", container } as const;
  const reply = await client.call(call);
  discard(reply);
  if (reply.status >= 300 && reply.status !== 404 && reply.status !== 409) throw failureOf(call, reply.status);
}
