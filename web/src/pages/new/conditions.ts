/** What must agree for two rows to match, as people choose it, as SQL and in words. The SQL is that of the command line. */
import { isDate, isNumber } from "../../format/types";

export const KINDS = ["equal", "key", "tolerance", "percent", "days", "similar"] as const;
export type Kind = (typeof KINDS)[number];

export interface Condition {
  left: string;
  right: string;
  kind: Kind;
  /** A number as text: units, percent, days, or a share of 1. Of a key the rules, with commas. */
  within?: string;
}

export interface Field {
  name: string;
  type: string;
}

/** What keys may differ in, and how it is called. */
export const RULES = {
  trim: "outer blanks",
  blanks: "all blanks",
  case: "case",
  zeros: "leading zeros",
  punctuation: "punctuation",
  accents: "accents",
} as const;
export type Rule = keyof typeof RULES;

/** Those of a condition, in their order. */
export function rules({ within = "" }: Condition): Rule[] {
  const chosen = within.split(",");
  return (Object.keys(RULES) as Rule[]).filter((rule) => chosen.includes(rule));
}

export const USUAL: Record<Kind, string | undefined> = {
  equal: undefined,
  key: "trim,case",
  tolerance: "0.01",
  percent: "1",
  days: "3",
  similar: "0.9",
};

export const NAMES: Record<Kind, string> = {
  equal: "equal",
  key: "equal but for",
  tolerance: "apart by at most",
  percent: "apart by at most %",
  days: "days apart at most",
  similar: "written alike, from",
};

/** What can be asked of two columns of these types. */
export function kinds(left: string, right: string): Kind[] {
  if (isNumber(left) && isNumber(right)) return ["equal", "tolerance", "percent"];
  if (isDate(left) && isDate(right)) return ["equal", "days"];
  if (left === "text" && right === "text") return ["equal", "key", "similar"];
  const key = (type: string) => type === "text" || type === "integer";
  return key(left) && key(right) ? ["equal", "key"] : ["equal"];
}

/** What is wrong with what was typed. */
export function wrong(condition: Condition): string | undefined {
  const { kind, within } = condition;
  if (kind === "equal") return undefined;
  if (kind === "key") return rules(condition).length > 0 ? undefined : "Choose what may differ.";
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

function test(condition: Condition): string {
  const { left, right, kind, within = "0" } = condition;
  const [l, r] = [`l.${identifier(left)}`, `r.${identifier(right)}`];
  switch (kind) {
    case "equal":
      return `${l} = ${r}`;
    case "key": {
      const differ = rules(condition).join(",");
      return `normalize_key(${l}, '${differ}') = normalize_key(${r}, '${differ}')`;
    }
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
/** `all`: with every column of both sides, not just those of the conditions. */
export function sql(conditions: Condition[], all = false): string {
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
  const select = all ? "    l.*,\n    r.*" : columns.map((column) => `    ${column}`).join(",\n");
  return `SELECT\n${select}\nFROM left_src AS l\nJOIN right_src AS r\n  ON ${conditions.map(test).join("\n AND ")}\n`;
}

function told(condition: Condition): string {
  const { left, right, kind, within } = condition;
  const both = left === right ? left : `${left} and ${right}`;
  switch (kind) {
    case "equal":
      return `${both} are equal`;
    case "key":
      return `${both} are equal but for ${rules(condition)
        .map((rule) => RULES[rule])
        .join(", ")}`;
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
