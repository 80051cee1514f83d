/** What must agree for two rows to match, as people choose it, as SQL and in words. The SQL is that of the command line. */
import { isDate, isNumber } from "../../format/types";

export const KINDS = ["equal", "tolerance", "percent", "days", "similar"] as const;
export type Kind = (typeof KINDS)[number];

export interface Condition {
  left: string;
  right: string;
  kind: Kind;
  /** A number as text: units, percent, days, or a share of 1. */
  within?: string;
}

export interface Field {
  name: string;
  type: string;
}

export const USUAL: Record<Kind, string | undefined> = {
  equal: undefined,
  tolerance: "0.01",
  percent: "1",
  days: "3",
  similar: "0.9",
};

export const NAMES: Record<Kind, string> = {
  equal: "equal",
  tolerance: "apart by at most",
  percent: "apart by at most %",
  days: "days apart at most",
  similar: "written alike, from",
};

/** What can be asked of two columns of these types. */
export function kinds(left: string, right: string): Kind[] {
  if (isNumber(left) && isNumber(right)) return ["equal", "tolerance", "percent"];
  if (isDate(left) && isDate(right)) return ["equal", "days"];
  if (left === "text" && right === "text") return ["equal", "similar"];
  return ["equal"];
}

/** What is wrong with what was typed. */
export function wrong({ kind, within }: Condition): string | undefined {
  if (kind === "equal") return undefined;
  if (!/^\d+(\.\d+)?$/.test(within ?? "")) return "A number is wanted, such as 0.01.";
  if (kind === "days" && !/^\d+$/.test(within ?? "")) return "Whole days are wanted.";
  if (kind === "similar" && Number(within) > 1) return "From 0 (not at all) to 1 (the same).";
  return undefined;
}

/** Words that a statement may read otherwise. Quoting one too many does no harm. */
const KEYWORDS = new Set(
  `all and any array as asc at between by case cast check column cross current_date current_time date day
  default desc distinct else end exists extract false fetch filter for from full group having hour if in inner
  intersect interval into is join key lateral left like limit minute month natural not null offset on or order
  outer over partition position primary range references right row rows second select set some substring table
  then time timestamp to top trim true union unique unnest user using value values when where window with year`.split(
    /\s+/,
  ),
);

export function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function test({ left, right, kind, within = "0" }: Condition): string {
  const [l, r] = [`l.${identifier(left)}`, `r.${identifier(right)}`];
  switch (kind) {
    case "equal":
      return `${l} = ${r}`;
    case "tolerance":
      return `tolerance_match(${l}, ${r}, ${within})`;
    case "percent":
      return `tolerance_pct(${l}, ${r}, ${within})`;
    case "days":
      return `date_within(${l}, ${r}, ${within})`;
    case "similar":
      return `similarity(normalize_text(${l}), normalize_text(${r})) >= ${within}`;
  }
}

/** One row for each pair of rows that meets all conditions, with the columns that are compared. */
export function sql(conditions: Condition[]): string {
  const seen = new Set<string>();
  const columns: string[] = [];
  for (const { left, right } of conditions) {
    for (const [table, name] of [
      ["l", left],
      ["r", right],
    ] as const) {
      const column = `${table}.${identifier(name)}`;
      if (columns.some((known) => known === column || known.startsWith(`${column} AS `))) continue;
      // Both sides may call a column the same.
      let shown = name;
      for (let n = 2; seen.has(shown.toLowerCase()); n++)
        shown = table === "r" && n === 2 ? `${name}_right` : `${name}_${n}`;
      seen.add(shown.toLowerCase());
      columns.push(shown === name ? column : `${column} AS ${identifier(shown)}`);
    }
  }
  const select = columns.map((column) => `    ${column}`).join(",\n");
  return `SELECT\n${select}\nFROM left_src AS l\nJOIN right_src AS r\n  ON ${conditions.map(test).join("\n AND ")}\n`;
}

function told({ left, right, kind, within }: Condition): string {
  const both = left === right ? left : `${left} and ${right}`;
  switch (kind) {
    case "equal":
      return `${both} are equal`;
    case "tolerance":
      return `${both} are at most ${within} apart`;
    case "percent":
      return `${both} are at most ${within} % apart`;
    case "days":
      return `${both} are at most ${within} days apart`;
    case "similar":
      return `${both} are written alike (${within} of 1)`;
  }
}

/** The same for people. */
export function words(conditions: Condition[]): string {
  return conditions.length === 0 ? "" : `Two rows match where ${conditions.map(told).join(", and ")}.`;
}

/** From an address, where anything may stand. */
export function conditions(given: unknown): Condition[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null) return [];
    const { left, right, kind, within } = one as Record<string, unknown>;
    const known = KINDS.find((name) => name === kind);
    if (typeof left !== "string" || typeof right !== "string" || !known) return [];
    return [{ left, right, kind: known, ...(within !== undefined && { within: String(within) }) }];
  });
}
