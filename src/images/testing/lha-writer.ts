// Writes lha archives, of data that is packed already or that is stored as it is.
import { crc16 } from "../import/crc16.ts";

export type LhaEntry = {
  readonly level?: 0 | 1 | 2 | 3;
  readonly name?: string;
  /** Absent: stored. */
  readonly method?: string;
  readonly data: Buffer;
  /** Extended headers, from level 1 on: what each is of, and what it holds. */
  readonly extended?: readonly (readonly [kind: number, content: Buffer])[];
};

/** An archive of these files, with its end. */
export function lha(...entries: readonly LhaEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap((entry) => [headerOf(entry), entry.data]), Buffer.alloc(1)]);
}

function headerOf({ level = 0, name = "file", method = "-lh0-", data, extended = [] }: LhaEntry): Buffer {
  const named = Buffer.from(name, "latin1");
  // Each header ends with the length of the next one.
  const lengths = extended.map(([, content]) => content.length + 3);
  const further = Buffer.concat(
    extended.flatMap(([kind, content], index) => [Buffer.from([kind]), content, u16(lengths[index + 1] ?? 0)]),
  );
  const common = Buffer.concat([
    Buffer.alloc(2),
    Buffer.from(method, "latin1"),
    u32(data.length + (level === 1 ? further.length : 0)),
    u32(data.length),
    Buffer.alloc(4),
    Buffer.from([0x20, level]),
  ]);
  const check = u16(crc16(data, 0));
  const unix = Buffer.from("U");
  if (level >= 2) {
    const header = Buffer.concat([common, check, unix, u16(lengths[0] ?? 0), further]);
    header.writeUInt16LE(header.length);
    return header;
  }
  const tail = level === 1 ? [unix, u16(lengths[0] ?? 0)] : [];
  const base = Buffer.concat([common, Buffer.from([named.length]), named, check, ...tail]);
  base.writeUInt8(base.length - 2);
  base.writeUInt8(
    base.subarray(2).reduce((sum, byte) => (sum + byte) & 0xff, 0),
    1,
  );
  return Buffer.concat([base, further]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
