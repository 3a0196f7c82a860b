// What a project has in all, counted in memory.
import type { Image } from "../image.ts";
import type { ProjectUsage } from "../ports.ts";

/** `images`: the live ones of one owner. */
export function usageOf(images: readonly Pick<Image, "status" | "sizeBytes" | "properties">[]): ProjectUsage {
  const isCopied = ({ properties }: Pick<Image, "properties">) => Boolean(properties.os_glance_importing_to_stores);
  const staged = images.filter((image) => ["uploading", "importing"].includes(image.status) || isCopied(image));
  const saving = images.filter((image) => image.status === "saving" && !isCopied(image));
  return {
    images: images.length,
    uploading: staged.length + saving.length,
    stagedBytes: staged.reduce((bytes, { sizeBytes }) => bytes + (sizeBytes ?? 0), 0),
  };
}
