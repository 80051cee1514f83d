/** The two bars of a balance: in rows, or in what a column of each side sums up to. */
import type { ColumnSum, Complete, Run } from "../../api/client";
import type { Side } from "../../api/runs";
import { type SideCounts, sides } from "../../components/Balance";
import { currencyName, type Pair, type Totals, worth } from "../../components/sums";
import { isZero, minus, plus, size } from "../../format/decimals";
import { count, decimal, percent } from "../../format/numbers";

export interface Part {
  /** For the picture alone. */
  size: number;
  text: string;
}

export interface Bar {
  side: Side;
  /** Of the side, and of a sum of its column. */
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

/** What matched rows are worth on both sides: `left`, more or less what is `apart`, is `right`. */
export interface Met {
  left: string;
  right: string;
  sign: "+" | "−";
  /** Absent: nothing. */
  apart?: string;
  /** Absent: nobody has said. */
  allowed?: string;
  /** Whether it is more than is allowed. */
  off: boolean;
}

export function met({ sums, control_totals }: Totals, pair: Pair): Met | undefined {
  const [l, r] = [worth(sums, "left", pair)?.matched, worth(sums, "right", pair)?.matched];
  const between = l !== undefined && r !== undefined ? minus(r, l) : undefined;
  if (l === undefined || r === undefined || between === undefined) return undefined;
  const [left, right, currency] = pair;
  const total = control_totals.find(
    (one) =>
      one.left === left && one.right === right && (one.currency === undefined || one.currency === currency),
  );
  // Columns of one name that nothing compares may differ as they like.
  const allowed = total?.compared ? total.allowed : undefined;
  const over = allowed !== undefined && minus(size(between), allowed);
  return {
    left: decimal(l),
    right: decimal(r),
    sign: between.startsWith("-") ? "−" : "+",
    ...(!isZero(between) && { apart: decimal(size(between)) }),
    ...(allowed !== undefined && { allowed: decimal(shortened(allowed, between)) }),
    off: over !== false && over !== undefined && !over.startsWith("-") && !isZero(over),
  };
}

/** Without zeros at the end that the other does not have. */
function shortened(text: string, other: string): string {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = other.split(".")[1]?.length ?? 0;
  const more = fraction.slice(digits).replace(/0+$/, "");
  const rest = fraction.slice(0, digits) + more;
  return rest ? `${whole}.${rest}` : whole;
}
