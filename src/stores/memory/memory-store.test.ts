import { storeConformance } from "../testing/store-conformance.ts";
import { MemoryStore } from "./memory-store.ts";

storeConformance("memory store", async () => {
  const store = new MemoryStore({ bytesMax: 100_000_000 });
  return { store, contents: async () => store.keys, close: () => store.close() };
});
