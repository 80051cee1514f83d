/** Decimal numbers as text, computed with to the last digit. */

interface Decimal {
  units: bigint;
  scale: number;
}

function read(text: string): Decimal | undefined {
  const found = /^([-+]?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!found) return undefined;
  const [, sign = "", whole = "", fraction = ""] = found;
  const units = BigInt(whole + fraction);
  return { units: sign === "-" ? -units : units, scale: fraction.length };
}

function write({ units, scale }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return (units < 0n ? "-" : "") + whole + (scale > 0 ? `.${digits.slice(digits.length - scale)}` : "");
}

function combine(a: string, b: string, op: (a: bigint, b: bigint) => bigint): string | undefined {
  const [x, y] = [read(a), read(b)];
  if (!x || !y) return undefined;
  const scale = Math.max(x.scale, y.scale);
  const wide = ({ units, scale: own }: Decimal) => units * 10n ** BigInt(scale - own);
  return write({ units: op(wide(x), wide(y)), scale });
}

/** Nothing where one of them is no plain number, as below. */
export function plus(a: string, b: string): string | undefined {
  return combine(a, b, (x, y) => x + y);
}

export function minus(a: string, b: string): string | undefined {
  return combine(a, b, (x, y) => x - y);
}

/** Without its sign. */
export function size(text: string): string {
  return text.replace(/^[-+]/, "");
}

export function isZero(text: string): boolean {
  return /^[-+]?0+(\.0+)?$/.test(text);
}
