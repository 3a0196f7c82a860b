// A source of an import that is only known once another region was asked for it, which happens when its data is first wanted.
import type { Becomes, ImportSource } from "./import-work.ts";

/** `find` is called again for the next store where it failed for one. */
export function foundSource<Found extends { readonly becomes: Becomes }>(
  find: (signal: AbortSignal) => Promise<Found>,
  sourceOf: (found: Found) => Promise<ImportSource>,
): ImportSource {
  let known: { readonly becomes: Becomes; readonly source: ImportSource } | undefined;
  return {
    // It may be, and removing what is not there does no harm.
    staged: true,
    async open(signal) {
      if (!known) {
        const found = await find(signal);
        known = { becomes: found.becomes, source: await sourceOf(found) };
      }
      const { becomes, source } = known;
      const opened = await source.open(signal);
      // What the data was converted to counts more than what it was.
      return { ...opened, becomes: { ...becomes, ...opened.becomes } };
    },
    close: async () => known?.source.close?.(),
  };
}
