/** Which columns of two tables may be meant to agree: by their types, their names and the values of their first rows. */
import type { Column, Row } from "../../api/client";
import { alike } from "../../format/names";
import { isDate, isNumber } from "../../format/types";
import type { Condition } from "./conditions";

export interface Table {
  columns: Column[];
  rows: Row[];
}

export interface Proposal {
  condition: Condition;
  /** Why it is proposed. */
  evidence: string;
  /** Whether it tells rows apart, and so may lead from one row to the other. */
  key: boolean;
  score: number;
}

const MOST = 8;
/** From here on, values in common are no accident. */
const SHARED = 0.1;
/** From here on, a column tells most rows apart. */
const DISTINCT = 0.5;
const ALIKE = 0.5;

interface Profile {
  column: Column;
  values: Set<string>;
  /** Different values per value. */
  distinct: number;
}

export function propose(left: Table, right: Table): Proposal[] {
  const [lefts, rights] = [profiles(left), profiles(right)];
  const found = lefts.flatMap((l) => rights.flatMap((r) => pair(l, r) ?? []));
  found.sort((a, b) => b.score - a.score);
  // A column is proposed once: for the other that it fits best.
  const taken = new Set<string>();
  const best = found.filter(({ condition }) => {
    const [l, r] = [`l ${condition.left}`, `r ${condition.right}`];
    if (taken.has(l) || taken.has(r)) return false;
    taken.add(l).add(r);
    return true;
  });
  return best.slice(0, MOST);
}

function profiles({ columns, rows }: Table): Profile[] {
  return columns.map((column, index) => {
    const values = rows.flatMap((row) => row[index] ?? []).map((value) => value.trim());
    const set = new Set(values);
    return { column, values: set, distinct: values.length === 0 ? 0 : set.size / values.length };
  });
}

function pair(left: Profile, right: Profile): Proposal | undefined {
  const [l, r] = [left.column, right.column];
  const [numbers, dates] = [isNumber(l.type) && isNumber(r.type), isDate(l.type) && isDate(r.type)];
  if (!numbers && !dates && l.type !== r.type) return undefined;
  const named = alike(l.name, r.name);
  const common = shared(left.values, right.values);
  if (named < ALIKE && common < SHARED) return undefined;
  const key =
    common >= SHARED && Math.min(left.distinct, right.distinct) >= DISTINCT && !isAmount(l, r) && !dates;
  const evidence = [
    ...(named === 1 ? ["same name"] : named >= ALIKE ? ["names alike"] : []),
    ...(common >= SHARED ? [`${Math.round(common * 100)} % of values on both sides`] : []),
  ].join(", ");
  const names = { left: l.name, right: r.name };
  const condition: Condition =
    dates && common < ALIKE
      ? { ...names, kind: "days", within: "3" }
      : l.type === "text" && common < SHARED
        ? { ...names, kind: "similar", within: "0.9" }
        : { ...names, kind: "equal" };
  return { condition, evidence, key, score: (key ? 2 : 0) + common + named };
}

/** Amounts are many and different, too, but two of the same size have nothing to do with each other. */
function isAmount(left: Column, right: Column): boolean {
  return !left.type.startsWith("integer") && isNumber(left.type) && isNumber(right.type);
}

function shared(left: Set<string>, right: Set<string>): number {
  const [few, many] = left.size <= right.size ? [left, right] : [right, left];
  if (few.size === 0) return 0;
  let common = 0;
  for (const value of few) if (many.has(value)) common++;
  return common / few.size;
}
