// Times, durations, sizes and counts as people read them. Times are UTC: who reads a report may be anywhere.

export function timeText(atMs: number): string {
  const iso = isoOf(atMs);
  return iso === null ? "not known" : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

export function clockText(atMs: number): string {
  return isoOf(atMs)?.slice(11, 19) ?? "not known";
}

function isoOf(atMs: number): string | null {
  return Number.isFinite(atMs) && Math.abs(atMs) < 8.64e15 ? new Date(atMs).toISOString() : null;
}

export function durationText(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

export function bytesText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1_000 && unit < units.length - 1; unit++) value /= 1_000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function countText(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

export function msText(ms: number | null): string {
  return ms === null ? "-" : ms > 0 && ms < 10 ? `${ms.toFixed(1)} ms` : `${countText(ms)} ms`;
}
