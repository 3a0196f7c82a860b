// Tables hold Unicode's basic plane only, and PostgreSQL no NUL: what else there is stands in no row, and some databases fail when they are
// asked for it.

export function isStorable(text: string): boolean {
  return !/[\0\u{10000}-\u{10FFFF}\p{Surrogate}]/u.test(text);
}
