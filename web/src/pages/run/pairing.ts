/** A row of each side beside each other: which column belongs to which, and by how much their values differ. */
import type { Cell, Column } from "../../api/client";
import { isZero, minus, size } from "../../format/decimals";
import { alike } from "../../format/names";
import { decimal, plural } from "../../format/numbers";
import { duration } from "../../format/times";
import { isDate, isNumber } from "../../format/types";

export interface Field {
  column: Column;
  cell: Cell;
}

export interface Line {
  left?: Field;
  right?: Field;
  /** Whether the two belong together; those that belong to nothing stand beside each other to save room. */
  paired: boolean;
  /** How the two differ, in words. Absent: they do not. */
  apart?: string;
}

/** From here on, names are no accident. */
const ALIKE = 0.5;
/** Shorter values are the same by chance. */
const TELLING = 3;

/** Columns of the left side in their order, each with the one of the right side that fits best; then the others. */
export function align(left: Field[], right: Field[]): Line[] {
  const fits = left.flatMap((l, i) => right.map((r, j) => ({ i, j, score: closeness(l, r) })));
  const of = new Map<number, number>();
  const taken = new Set<number>();
  for (const { i, j } of fits.filter(({ score }) => score >= ALIKE).sort((a, b) => b.score - a.score)) {
    if (of.has(i) || taken.has(j)) continue;
    of.set(i, j);
    taken.add(j);
  }
  const pairs = left.flatMap((l, i): Line[] => {
    const r = right[of.get(i) ?? -1];
    if (!r) return [];
    const apart = difference(l, r);
    return [{ left: l, right: r, paired: true, ...(apart !== undefined && { apart }) }];
  });
  const lefts = left.filter((_, i) => !of.has(i));
  const rights = right.filter((_, j) => !taken.has(j));
  const rest = Array.from({ length: Math.max(lefts.length, rights.length) }, (_, n): Line => {
    const [l, r] = [lefts[n], rights[n]];
    return { paired: false, ...(l && { left: l }), ...(r && { right: r }) };
  });
  return [...pairs, ...rest];
}

function closeness(left: Field, right: Field): number {
  const [l, r] = [left.column.type, right.column.type];
  const kin = (isNumber(l) && isNumber(r)) || (isDate(l) && isDate(r)) || l === r;
  if (!kin) return 0;
  const telling = (left.cell ?? "").length >= TELLING && difference(left, right) === undefined;
  return alike(left.column.name, right.column.name) + (telling ? 1 : 0);
}

/** Nothing where they are equal. */
export function difference({ column, cell: l }: Field, { cell: r }: Field): string | undefined {
  if (l === r) return undefined;
  if (l === null || r === null) return "only on one side";
  if (isNumber(column.type)) {
    const by = minus(l, r);
    if (by === undefined) return "differs";
    return isZero(by) ? undefined : decimal(size(by));
  }
  if (isDate(column.type)) {
    const by = Math.abs(Date.parse(l) - Date.parse(r));
    if (Number.isNaN(by)) return "differs";
    return by % DAY === 0 ? plural(by / DAY, "day") : duration(by);
  }
  return plain(l) === plain(r) ? "written differently" : "differs";
}

const DAY = 86_400_000;

function plain(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
}

/** The numbers in a value of `_left_row` or `_right_row`: one, or a list. */
export function numbers(cell: Cell | undefined): number[] {
  return (cell?.match(/\d+/g) ?? []).map(Number);
}
