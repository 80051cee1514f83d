/** Times as people read them. */

/** How long something took: `0.3 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${Math.floor(minutes / 60)} h`;
}

export function between(from: string | undefined, to: string | undefined): number | undefined {
  return from && to ? Date.parse(to) - Date.parse(from) : undefined;
}

/** `just now`, `5 minutes ago`, `yesterday`; from a month on the day itself. */
export function ago(then: string, now: number, locale?: string): string {
  const seconds = (Date.parse(then) - now) / 1000;
  if (Math.abs(seconds) < 45) return "just now";
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, size, until] of [
    ["minute", 60, 3600],
    ["hour", 3600, 86_400],
    ["day", 86_400, 2_592_000],
  ] as const) {
    if (Math.abs(seconds) < until) return words.format(Math.round(seconds / size), unit);
  }
  return new Date(then).toLocaleDateString(locale, { dateStyle: "medium" });
}

/** A day and a time, in the reader's own zone. */
export function moment(at: Date, locale?: string): string {
  return at.toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
}
