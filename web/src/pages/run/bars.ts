/** The two bars of a balance: in rows, or in what a column of each side sums up to. */
import type { ColumnSum, Complete, Run } from "../../api/client";
import type { Side } from "../../api/runs";
import { type SideCounts, sides } from "../../components/Balance";
import { currencyName, type Pair, worth } from "../../components/sums";
import { plus, size } from "../../format/decimals";
import { count, decimal, percent } from "../../format/numbers";

export interface Part {
  /** For the picture alone. */
  size: number;
  text: string;
}

export interface Bar {
  side: Side;
  source: string;
  /** The same, and of a sum its column. */
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

export function rowBars(run: Run, complete: Complete): [Bar, Bar] {
  const bar = ({ side, name, total, matched, open, rejected }: SideCounts): Bar => ({
    side,
    source: name,
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
  const currency = pair[2] === undefined ? "" : ` ${currencyName(pair[2])}`;
  const bar = (side: Side, index: 0 | 1): Bar | undefined => {
    const sum = worth(sums, side, pair);
    const total = sum && plus(sum.matched, sum.unmatched);
    if (!sum || total === undefined) return undefined;
    const source = run.sources[index]?.alias ?? side;
    const [all, matched, open] = [total, sum.matched, sum.unmatched].map(amount) as [Part, Part, Part];
    return {
      side,
      source,
      name: `${source}.${pair[index]}${currency}`,
      total: all,
      matched,
      open,
      holds: true,
      rejected: 0,
    };
  };
  const [left, right] = [bar("left", 0), bar("right", 1)];
  return left && right && [left, right];
}

const amount = (text: string): Part => ({ size: Number(size(text)), text: decimal(text) });
