/** What columns of the two sides of a run sum up to: of each currency by itself, where one is said. */
import type { ColumnSum, Manifest } from "../api/client";
import type { ResultSet, Side } from "../api/runs";
import { minus, plus, size } from "../format/decimals";
import { alike } from "../format/names";

/** A column of each side, and the currency that is looked at, where the columns have some. */
export type Pair = [left: string, right: string, currency?: string];

interface Worth {
  matched: string;
  unmatched: string;
}

export type Totals = Pick<Manifest, "sums" | "control_totals">;

/** The columns of a side that hold amounts. Integers are mostly keys, unless they are compared as amounts. */
export function amounts({ sums, control_totals }: Totals, side: Side): ColumnSum[] {
  const compared = control_totals.filter((total) => !total.key).map((total) => total[side]);
  return sums.filter(
    (sum) => sum.side === side && (sum.matched.includes(".") || compared.includes(sum.column)),
  );
}

/** What a result set calls columns that are known to be amounts. */
export function amountColumns(totals: Totals | undefined, set: ResultSet): string[] {
  const known = totals?.control_totals.filter((total) => !total.key) ?? [];
  switch (set) {
    case "unmatched_left":
      return known.map(({ left }) => left);
    case "unmatched_right":
      return known.map(({ right }) => right);
    case "matched":
      return known
        .flatMap(({ left_output, right_output }) => [left_output, right_output])
        .filter((name) => name !== undefined);
    default:
      return [];
  }
}

function column(sums: ColumnSum[], side: Side, name: string): ColumnSum | undefined {
  return sums.find((sum) => sum.side === side && sum.column === name);
}

/** What a side has of it. A currency that it does not have is nothing. */
export function worth(sums: ColumnSum[], side: Side, [left, right, currency]: Pair): Worth | undefined {
  const sum = column(sums, side, side === "left" ? left : right);
  if (!sum || currency === undefined) return sum;
  return (
    sum.by_currency.find((own) => own.currency === currency) ?? {
      matched: minus(sum.matched, sum.matched) ?? "0",
      unmatched: minus(sum.matched, sum.matched) ?? "0",
    }
  );
}

/** The currencies of two columns, the one that most is in first. None, where a side does not tell. */
export function currencies(sums: ColumnSum[], [left, right]: Pair): string[] {
  const both = [column(sums, "left", left), column(sums, "right", right)].map(
    (sum) => sum?.by_currency ?? [],
  );
  if (both.some((by) => by.length === 0)) return [];
  const most = new Map<string, number>();
  for (const { currency, matched, unmatched } of both.flat()) {
    const own = Number(size(plus(matched, unmatched) ?? "0"));
    most.set(currency, Math.max(own, most.get(currency) ?? 0));
  }
  return [...most].sort(([, a], [, b]) => b - a).map(([currency]) => currency);
}

/** Amounts of several currencies are never added up: of those that there are, one is looked at. */
export function settled(sums: ColumnSum[], [left, right, currency]: Pair): Pair {
  const known = currencies(sums, [left, right]);
  const chosen = known.find((one) => one === currency) ?? known[0];
  return chosen === undefined ? [left, right] : [left, right, chosen];
}

/** The columns that are likely to be meant: compared, or called alike and with sums of about the same size where rows match. */
export function usualPair(totals: Totals): Pair | undefined {
  const { sums, control_totals } = totals;
  const compared = control_totals.find((total) => !total.key);
  if (compared) return settled(sums, [compared.left, compared.right]);
  let best: { score: number; pair: Pair } | undefined;
  for (const l of amounts(totals, "left")) {
    for (const r of amounts(totals, "right")) {
      const [a, b] = [Number(l.matched), Number(r.matched)];
      const most = Math.max(Math.abs(a), Math.abs(b));
      const score = alike(l.column, r.column) + (most > 0 ? 1 - Math.abs(a - b) / most : 0);
      if (!best || score > best.score) best = { score, pair: [l.column, r.column] };
    }
  }
  return best && settled(sums, best.pair);
}

/** As it is called. */
export function currencyName(currency: string): string {
  return currency || "no currency";
}
