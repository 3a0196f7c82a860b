// Makes files and names in folders outlive a power failure.
import { open } from "node:fs/promises";

/** On disk when it resolves. The file must not exist yet; only its owner may read it. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What was created, renamed or removed in the folder so far is on disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
