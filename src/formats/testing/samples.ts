// The smallest data of each format that its probe takes for sound, made by hand from the public specifications; tests spoil a field each.
import { crc32c } from "../probes/crc32c.ts";

/** Bytes of the disk that every sample claims to hold, where its format says so. */
export const diskBytes = 16 * 2 ** 20;

/** Zeros with some bytes written into them; `text` in Latin-1. */
export function data(bytes: number, parts: Readonly<Record<number, string | Buffer>> = {}): Buffer {
  const made = Buffer.alloc(bytes);
  for (const [at, part] of Object.entries(parts))
    (typeof part === "string" ? Buffer.from(part, "latin1") : part).copy(made, Number(at));
  return made;
}

type Numbers = (value: number | bigint) => Buffer;
const number =
  (bytes: number, order: "be" | "le"): Numbers =>
  (value) => {
    const big = Buffer.alloc(8);
    big.writeBigUInt64BE(BigInt(value));
    const cut = big.subarray(8 - bytes);
    return order === "be" ? cut : Buffer.from(cut).reverse();
  };
export const [be16, be32, be64] = [number(2, "be"), number(4, "be"), number(8, "be")];
export const [le16, le32, le64] = [number(2, "le"), number(4, "le"), number(8, "le")];

export type Fields = Readonly<Record<number, string | Buffer>>;

export const qcow2 = (version: number, fields: Fields = {}): Buffer =>
  data(65_536, {
    0: "QFI\xfb",
    4: be32(version),
    20: be32(16),
    24: be64(diskBytes),
    100: be32(version === 3 ? 104 : 0),
    ...fields,
  });

export const qed = (): Buffer => data(4_096, { 0: "QED\0", 4: le32(65_536), 48: le64(diskBytes) });

export const vhdFooter = (diskType: number, fields: Fields = {}): Buffer =>
  data(512, {
    0: "conectix",
    8: be32(2),
    12: be32(0x10000),
    40: be64(diskBytes),
    48: be64(diskBytes),
    60: be32(diskType),
    ...fields,
  });

export const vhdDynamic = (header = vhdFooter(3), footer = vhdFooter(3)): Buffer =>
  Buffer.concat([header, data(4_096), footer]);

export const vhdFixed = (disk: Buffer, footer = vhdFooter(2)): Buffer => Buffer.concat([disk, footer]);

export const vdi = (fields: Fields = {}): Buffer =>
  data(4_096, {
    0: "<<< made for a test >>>",
    64: le32(0xbeda107f),
    68: le32(0x10001),
    72: le32(400),
    76: le32(1),
    368: le64(diskBytes),
    ...fields,
  });

export const luks = (fields: Fields = {}): Buffer =>
  data(4 * 2 ** 10, { 0: "LUKS\xba\xbe", 6: be16(1), 8: "aes", 40: "xts-plain64", 104: be32(4), ...fields });

export const iso = (fields: Fields = {}): Buffer =>
  data(49_152, {
    32768: "\x01CD001\x01",
    [32_768 + 80]: le32(diskBytes / 2_048),
    [32_768 + 128]: le16(2_048),
    34816: "\xffCD001\x01",
    ...fields,
  });

export type PartitionFields = { indicator?: number; type: number; firstSector?: number; sectors?: number };

export const partition = ({ indicator = 0, type, firstSector = 1, sectors = 100 }: PartitionFields): Buffer =>
  data(16, { 0: Buffer.from([indicator]), 4: Buffer.from([type]), 8: le32(firstSector), 12: le32(sectors) });

export const mbr = (...partitions: readonly PartitionFields[]): Buffer =>
  data(512, { 446: Buffer.concat(partitions.map(partition)), 510: "\x55\xaa" });

export const gpt = (before: Buffer = mbr({ type: 0xee }), headerAt = 512): Buffer =>
  data(65_536, { 0: before, [headerAt]: "EFI PART" });

export const descriptor = (changes: { type?: string; extents?: string; more?: string } = {}): string =>
  [
    "# Disk DescriptorFile",
    "version=1",
    "CID=12345678",
    "parentCID=ffffffff",
    `createType="${changes.type ?? "monolithicSparse"}"`,
    "",
    changes.extents ?? 'RW 32768 SPARSE "disk.vmdk"',
    "",
    'ddb.adapterType = "ide"',
    changes.more ?? "",
  ].join("\n");

const vmdkHeader = (fields: Fields = {}): Buffer =>
  data(512, {
    0: "KDMV",
    4: le32(1),
    12: le64(diskBytes / 512),
    20: le64(128),
    28: le64(1),
    36: le64(20),
    44: le32(512),
    56: le64(32),
    ...fields,
  });

export const vmdk = (text: string = descriptor(), fields: Fields = {}): Buffer =>
  data(65_536, { 0: vmdkHeader(fields), 512: text });

/** The grain directory, and with it the header that counts, at the end. */
export const vmdkStream = (footerFields: Fields = {}): Buffer => {
  const text = descriptor({ type: "streamOptimized" });
  const marker = data(512, { 0: le64(1), 12: le32(3) });
  const footer = vmdkHeader({ 4: le32(3), 56: le64(40), ...footerFields });
  return Buffer.concat([vmdk(text, { 4: le32(3), 56: le64(2n ** 64n - 1n) }), marker, footer, data(512)]);
};

const guid = (text: string): Buffer => {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  for (const [from, to] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ] as const)
    bytes.subarray(from, to).reverse();
  return bytes;
};
export const vhdxGuids = {
  bat: guid("2DC27766-F623-4200-9D64-115E9BFD4A08"),
  metadata: guid("8B7CA206-4790-4B9A-B8FE-575F050F886E"),
  fileParameters: guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B"),
  diskSize: guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8"),
  parentLocator: guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C"),
  foreign: guid("00112233-4455-6677-8899-AABBCCDDEEFF"),
};

export const withChecksum = (bytes: Buffer): Buffer => {
  bytes.writeUInt32LE(crc32c(bytes, 4), 4);
  return bytes;
};

export const vhdxHeader = (sequence: number, fields: Fields = {}): Buffer =>
  withChecksum(data(4_096, { 0: "head", 8: le64(sequence), 66: le16(1), ...fields }));

const entry = (id: Buffer, at: number, bytes: number, flags: number, wide: boolean): Buffer =>
  wide
    ? data(32, { 0: id, 16: le64(at), 24: le32(bytes), 28: le32(flags) })
    : data(32, { 0: id, 16: le32(at), 20: le32(bytes), 24: le32(flags) });

export type VhdxEntry = { id: Buffer; at: number; bytes: number; flags?: number };

export const vhdxRegions = (entries: readonly VhdxEntry[], fields: Fields = {}): Buffer =>
  withChecksum(
    data(65_536, {
      0: "regi",
      8: le32(entries.length),
      16: Buffer.concat(entries.map(({ id, at, bytes, flags = 1 }) => entry(id, at, bytes, flags, true))),
      ...fields,
    }),
  );

export const vhdxMetadataAt = 2 * 2 ** 20;
export const vhdxRegionEntries: readonly VhdxEntry[] = [
  { id: vhdxGuids.bat, at: 3 * 2 ** 20, bytes: 2 ** 20 },
  { id: vhdxGuids.metadata, at: vhdxMetadataAt, bytes: 2 ** 20 },
];
export const vhdxItems: readonly VhdxEntry[] = [
  { id: vhdxGuids.fileParameters, at: 65_536, bytes: 8, flags: 4 },
  { id: vhdxGuids.diskSize, at: 65_544, bytes: 8, flags: 6 },
];

export type VhdxParts = {
  headers?: readonly [Buffer, Buffer];
  regions?: readonly [Buffer, Buffer];
  items?: readonly VhdxEntry[];
  parameters?: number;
  metadata?: string;
};

export function vhdx(parts: VhdxParts = {}): Buffer {
  const [one, other] = parts.headers ?? [vhdxHeader(1), vhdxHeader(2)];
  const [first, second] = parts.regions ?? [vhdxRegions(vhdxRegionEntries), vhdxRegions(vhdxRegionEntries)];
  const items = parts.items ?? vhdxItems;
  return data(vhdxMetadataAt + 131_072, {
    0: "vhdxfile",
    65536: one,
    131072: other,
    196608: first,
    262144: second,
    [vhdxMetadataAt]: parts.metadata ?? "metadata",
    [vhdxMetadataAt + 10]: le16(items.length),
    [vhdxMetadataAt + 32]: Buffer.concat(
      items.map(({ id, at, bytes, flags = 0 }) => entry(id, at, bytes, flags, false)),
    ),
    [vhdxMetadataAt + 65_540]: le32(parts.parameters ?? 0),
    [vhdxMetadataAt + 65_544]: le64(diskBytes),
  });
}

/** A sound one of every format. */
export const soundSamples: Readonly<Record<string, () => Buffer>> = {
  "qcow2 v2": () => qcow2(2),
  "qcow2 v3": () => qcow2(3),
  vhd: () => vhdDynamic(),
  "vhd fixed": () => vhdFixed(data(4_096)),
  vhdx: () => vhdx(),
  vmdk: () => vmdk(),
  "vmdk stream": () => vmdkStream(),
  vdi: () => vdi(),
  iso: () => iso(),
  gpt: () => gpt(),
  luks: () => luks(),
};
