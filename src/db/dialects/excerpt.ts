// What a failure says of its statement: the text without its values, which stay out of every log.

const charactersMax = 200;

export function excerpt(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ").trim();
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax)}...`;
}
