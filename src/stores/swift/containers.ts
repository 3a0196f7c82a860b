// Which container an image lies in: one for all, or one for all whose ids begin alike, so that none grows too large for Swift.

export type Containers = {
  readonly name: string;
  /** How many characters of an image's id make a container, dashes not counted; 0: all images share one. */
  readonly idCharacters: number;
};

export function containerOf({ name, idCharacters }: Containers, key: string): string {
  if (idCharacters === 0) return name;
  const id = key.toLowerCase();
  // Those before the last character that counts are taken along, and no others, as the reference has it.
  const dashes = id.slice(0, idCharacters).split("-").length - 1;
  return `${name}_${id.slice(0, idCharacters + dashes)}`;
}

/** Also where the image was stored while another number was set. */
export function isContainerOf({ name }: Containers, container: string, key: string): boolean {
  if (container === name) return true;
  const beginning = container.startsWith(`${name}_`) ? container.slice(name.length + 1) : "";
  return beginning !== "" && key.toLowerCase().startsWith(beginning);
}
