// CRC-32C (Castagnoli), the checksum of VHDX; node:zlib has the other polynomial only.

const polynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value;
});

/** Of all bytes, the four from `zeroedAt` on (where the checksum itself stands) counted as zeros. */
export function crc32c(bytes: Buffer, zeroedAt: number): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    const byte = at >= zeroedAt && at < zeroedAt + 4 ? 0 : (bytes[at] ?? 0);
    crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
