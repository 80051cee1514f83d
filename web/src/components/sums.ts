/** What decimal columns of the two sides of a run sum up to. */
import type { ColumnSum } from "../api/client";
import type { Side } from "../api/queries";
import { minus, size } from "../format/decimals";
import { alike } from "../format/names";

/** A column of each side: what is compared where amounts are. */
export type Pair = [left: string, right: string];

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
