/** The two bars of a balance: in rows, or in what a column of each side sums up to. */
import type { ColumnSum, Complete, Run } from "../../api/client";
import type { Side } from "../../api/queries";
import { type SideCounts, sides } from "../../components/Balance";
import { minus, plus, size } from "../../format/decimals";
import { alike } from "../../format/names";
import { count, decimal, percent } from "../../format/numbers";

export interface Part {
  /** For the picture alone. */
  size: number;
  text: string;
}

export interface Bar {
  side: Side;
  /** The source, and of a sum its column. */
  name: string;
  total: Part;
  matched: Part;
  open: Part;
  /** What is matched, of all. */
  share?: string;
  /** Whether the parts make the whole. */
  holds: boolean;
  rejected: number;
}

/** A column of each side: what is compared in a balance of amounts. */
export type Pair = [left: string, right: string];

export function rowBars(run: Run, complete: Complete): [Bar, Bar] {
  const bar = ({ side, name, total, matched, open, rejected }: SideCounts): Bar => ({
    side,
    name,
    total: rows(total),
    matched: rows(matched),
    open: rows(open),
    ...(total > 0 && { share: percent(matched / total) }),
    holds: matched + open === total,
    rejected,
  });
  const [left, right] = sides(run, complete);
  return [bar(left), bar(right)];
}

const rows = (number: number): Part => ({ size: number, text: count(number) });

/** Nothing where a side has no such column. */
export function amountBars(run: Run, sums: ColumnSum[], pair: Pair): [Bar, Bar] | undefined {
  const bar = (side: Side, index: 0 | 1): Bar | undefined => {
    const sum = of(sums, side).find(({ column }) => column === pair[index]);
    const total = sum && plus(sum.matched, sum.unmatched);
    if (!sum || total === undefined) return undefined;
    const source = run.sources[index]?.alias ?? side;
    const [all, matched, open] = [total, sum.matched, sum.unmatched].map(amount) as [Part, Part, Part];
    return { side, name: `${source}.${sum.column}`, total: all, matched, open, holds: true, rejected: 0 };
  };
  const [left, right] = [bar("left", 0), bar("right", 1)];
  return left && right && [left, right];
}

const amount = (text: string): Part => ({ size: Number(size(text)), text: decimal(text) });

export function of(sums: ColumnSum[], side: Side): ColumnSum[] {
  return sums.filter((sum) => sum.side === side);
}

/** By how much the sums of what is matched differ, without a sign. */
export function apart(sums: ColumnSum[], [left, right]: Pair): string | undefined {
  const l = of(sums, "left").find(({ column }) => column === left);
  const r = of(sums, "right").find(({ column }) => column === right);
  const difference = l && r && minus(l.matched, r.matched);
  return difference === undefined ? undefined : size(difference);
}

/** The columns that are likely to be meant: called alike, and with sums of about the same size where rows match. */
export function usualPair(sums: ColumnSum[]): Pair | undefined {
  let best: { score: number; pair: Pair } | undefined;
  for (const l of of(sums, "left")) {
    for (const r of of(sums, "right")) {
      const [a, b] = [Number(l.matched), Number(r.matched)];
      const most = Math.max(Math.abs(a), Math.abs(b));
      const score = alike(l.column, r.column) + (most > 0 ? 1 - Math.abs(a - b) / most : 0);
      if (!best || score > best.score) best = { score, pair: [l.column, r.column] };
    }
  }
  return best?.pair;
}
