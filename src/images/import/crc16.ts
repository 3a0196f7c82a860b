// The checksum of lha archives: CRC-16 with the polynomial x^16 + x^15 + x^2 + 1, lowest bit first.

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xa001 : rest >>> 1;
  return rest;
});

/** `before`: of the bytes before these; 0 for none. */
export function crc16(bytes: Uint8Array, before: number): number {
  let check = before;
  for (const byte of bytes) check = (check >>> 8) ^ (table[(check ^ byte) & 0xff] ?? 0);
  return check;
}
