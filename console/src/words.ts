// Figures in words, the same everywhere on the page. Times of day are the reader's own.

const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dayTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const whole = new Intl.NumberFormat("en");

export function timeOfDay(ms: number): string {
  return clockTime.format(ms);
}

export function dayAndTime(ms: number): string {
  return dayTime.format(ms);
}

/** 8.2 s, 3 min 05 s, 2 h 10 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const total = Math.round(seconds);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(total % 60).padStart(2, "0")} s`;
}

export function count(value: number): string {
  return whole.format(Math.round(value));
}

export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const scaled = value / 1000 ** power;
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power]}`;
}

export function milliseconds(value: number | null): string {
  if (value === null) return "–";
  return value < 1000
    ? `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ms`
    : `${(value / 1000).toFixed(1)} s`;
}

export function perSecond(value: number): string {
  return `${value < 10 && value > 0 ? value.toFixed(1) : count(value)}/s`;
}
