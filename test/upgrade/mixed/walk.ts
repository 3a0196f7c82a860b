// A random walk over the operations of a mixed fleet: each step is done by a node of one release and then looked at through all.
import assert from "node:assert/strict";
import type { By, ModelImage, Table } from "./model.ts";
import * as model from "./model.ts";
import type { NodeClient } from "./service.ts";

const projects = ["red", "green", "blue"] as const;
const imagesMax = 14;
const statuses = ["accepted", "rejected", "pending"] as const;

export class Walk {
  readonly images: ModelImage[] = [];
  /** What was done, for the message of a failure. */
  readonly steps: string[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** `count` operations by random nodes of `nodes`, all of which run. */
  async go(count: number, table: Table, nodes: readonly NodeClient[]): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      const node = this.#pick(nodes);
      const touched = await this.#step(node, table);
      if (touched) await this.#look(touched, nodes);
      if (turn % 10 === 9) await this.lookAtAll(nodes);
    }
    await this.lookAtAll(nodes);
  }

  migrated(): void {
    for (const image of this.images) model.migrate(image);
  }

  reverted(to: By): void {
    for (const image of this.images) model.revert(image, to);
  }

  /** Every image through every node, and every project's list. */
  async lookAtAll(nodes: readonly NodeClient[]): Promise<void> {
    for (const image of this.images) await this.#look(image, nodes);
    for (const node of nodes)
      for (const project of projects) {
        const listed = await node.listed(project);
        for (const image of this.images)
          assert.equal(
            listed.has(image.id),
            model.isListed(image, node.by, project),
            this.#tell(`in the list of ${project} at ${node.release}`, image),
          );
      }
  }

  async #look(image: ModelImage, nodes: readonly NodeClient[]): Promise<void> {
    for (const node of nodes) {
      const { by, release } = node;
      for (const project of projects) {
        const expected = model.isVisible(image, by, project) ? model.shownAs(image, by) : undefined;
        const shown = await node.shown(image.id, project);
        assert.deepEqual(shown, expected, this.#tell(`as ${project} sees it at ${release}`, image));
      }
      if (!model.mayHaveMembers(image, by)) continue;
      assert.deepEqual(
        new Map([...(await node.members(image.id, image.owner))].sort()),
        new Map([...image.members].sort()),
        this.#tell(`members at ${release}`, image),
      );
    }
  }

  /** The image that was touched; undefined where it is gone, or nothing could be done. */
  async #step(node: NodeClient, table: Table): Promise<ModelImage | undefined> {
    const dice = this.#random();
    if (this.images.length === 0 || (dice < 0.2 && this.images.length < imagesMax)) return this.#create(node, table);
    const image = this.#pick(this.images);
    if (dice < 0.4) return this.#changeVisibility(node, table, image);
    if (dice < 0.62) return this.#addMember(node, image);
    if (dice < 0.72) return this.#changeMember(node, image);
    if (dice < 0.8) return this.#hide(node, image);
    if (dice < 0.88) return this.#upload(node, image);
    if (dice < 0.95) {
      this.#say(`${node.release} renames ${image.id}`);
      await node.rename(image.id, image.owner, `name ${Math.floor(this.#random() * 1e6)}`);
      return image;
    }
    this.#say(`${node.release} deletes ${image.id}`);
    await node.remove(image.id, image.owner);
    this.images.splice(this.images.indexOf(image), 1);
    return undefined;
  }

  async #create(node: NodeClient, table: Table): Promise<ModelImage> {
    const owner = this.#pick(projects);
    const requested = this.#random() < 0.4 ? undefined : this.#pick(node.by.visibilities);
    const id = await node.create(owner, requested);
    this.#say(`${node.release} creates ${id} of ${owner}, ${requested ?? "default"}`);
    const image = model.create({ id, owner }, node.by, table, requested);
    this.images.push(image);
    return image;
  }

  async #changeVisibility(node: NodeClient, table: Table, image: ModelImage): Promise<ModelImage> {
    const requested = this.#pick(node.by.visibilities);
    this.#say(`${node.release} makes ${image.id} ${requested}`);
    await node.setVisibility(image.id, requested);
    model.setVisibility(image, node.by, table, requested);
    return image;
  }

  /** Old nodes cannot, and leave it as it is. */
  async #hide(node: NodeClient, image: ModelImage): Promise<ModelImage | undefined> {
    if (!node.by.hiding) return undefined;
    this.#say(`${node.release} ${image.hidden ? "shows" : "hides"} ${image.id}`);
    await node.setHidden(image.id, image.owner, !image.hidden);
    image.hidden = !image.hidden;
    return image;
  }

  async #upload(node: NodeClient, image: ModelImage): Promise<ModelImage | undefined> {
    if (image.hash !== undefined) return undefined;
    this.#say(`${node.release} uploads to ${image.id}`);
    await node.upload(image.id, image.owner, `data of ${image.id}`);
    model.upload(image, node.by);
    return image;
  }

  async #addMember(node: NodeClient, image: ModelImage): Promise<ModelImage> {
    const member = this.#pick(projects.filter((project) => project !== image.owner));
    const allowed = model.mayHaveMembers(image, node.by);
    const expected = allowed ? (image.members.has(member) ? 409 : 200) : 403;
    this.#say(`${node.release} adds ${member} to ${image.id}: ${expected}`);
    await node.addMember(image.id, image.owner, member, expected);
    if (expected === 200) model.addMember(image, member);
    return image;
  }

  async #changeMember(node: NodeClient, image: ModelImage): Promise<ModelImage | undefined> {
    if (image.members.size === 0 || !model.mayHaveMembers(image, node.by)) return undefined;
    const member = this.#pick([...image.members.keys()]);
    if (this.#random() < 0.6) {
      const status = this.#pick(statuses);
      this.#say(`${node.release}: ${member} says ${status} to ${image.id}`);
      await node.setMemberStatus(image.id, member, status);
      image.members.set(member, status);
    } else {
      this.#say(`${node.release} removes ${member} from ${image.id}`);
      await node.removeMember(image.id, image.owner, member);
      image.members.delete(member);
    }
    return image;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] ?? assert.fail("nothing to pick from");
  }

  #say(step: string): void {
    this.steps.push(step);
  }

  #tell(what: string, image: ModelImage): string {
    const own = this.steps.filter((step) => step.includes(image.id));
    return `${what}: ${image.id} of ${image.owner}, expected ${JSON.stringify({ ...image, members: [...image.members] })}; what was done to it:\n${own.join("\n")}`;
  }
}
