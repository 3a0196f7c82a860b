// Tables hold Unicode's basic plane only: what lies beyond is in no row, and some databases fail when they are asked for it.

export function isStorable(text: string): boolean {
  return !/[\u{10000}-\u{10FFFF}\p{Surrogate}]/u.test(text);
}
