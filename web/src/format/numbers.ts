/** Numbers as people read them. Values of tables are text and stay exact: they are grouped, never computed with. */

interface Signs {
  group: string;
  decimal: string;
}

function signs(locale?: string): Signs {
  const parts = new Intl.NumberFormat(locale).formatToParts(-1234567.5);
  const sign = (type: string, usual: string) => parts.find((part) => part.type === type)?.value ?? usual;
  return { group: sign("group", ","), decimal: sign("decimal", ".") };
}

/** `1234567.50` with its thousands apart; whatever is no plain number stays as it is. */
export function decimal(text: string, locale?: string): string {
  const found = /^([-+]?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!found) return text;
  const [, sign = "", whole = "", fraction] = found;
  const { group, decimal } = signs(locale);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, group);
  return sign + grouped + (fraction === undefined ? "" : decimal + fraction);
}

export function count(number: number, locale?: string): string {
  return new Intl.NumberFormat(locale).format(number);
}

/** Of 0 to 1, rounded down to a tenth: what is not all is never shown as all, and what is there never as nothing. */
export function percent(share: number, locale?: string): string {
  // Shares of rows come as quotients; a tenth that was hit exactly may have lost its last bit.
  const tenths = Math.floor(share * 1000 + 1e-9);
  const told = (tenths: number) => {
    const digits = tenths % 1000 === 0 ? 0 : 1;
    const style = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: 1 } as const;
    return new Intl.NumberFormat(locale, style).format(tenths / 1000);
  };
  return share > 0 && tenths === 0 ? `<${told(1)}` : told(tenths);
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `271 kB`: of a size, what people need of it. */
export function bytes(size: number, locale?: string): string {
  let [rest, unit] = [size, 0];
  while (rest >= 999.5 && unit < UNITS.length - 1) [rest, unit] = [rest / 1000, unit + 1];
  const digits = unit > 0 && rest < 9.95 ? 1 : 0;
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(rest)} ${UNITS[unit]}`;
}
