/** Which columns of a table are shown, in which order and how wide; and which of them are in sight. */
import type { Column, Row } from "../../api/client";
import { isNumber } from "../../format/types";

export interface Placed {
  column: Column;
  /** Its position in a row. */
  index: number;
  width: number;
  /** Pixels before it. */
  start: number;
  /** Stays where it is when one scrolls sideways. */
  pinned: boolean;
}

/** Those that are pinned first; names that there are not are passed over. */
export function arrange(columns: Column[], sample: Row[], hidden: string[], pinned: string[]): Placed[] {
  const shown = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => !hidden.includes(column.name));
  const is = ({ column }: { column: Column }) => pinned.includes(column.name);
  let start = 0;
  return [...shown.filter(is), ...shown.filter((one) => !is(one))].map((one) => {
    const placed = { ...one, width: width(one.column, one.index, sample), start, pinned: is(one) };
    start += placed.width;
    return placed;
  });
}

/** Those that stand between two positions, and those that are pinned. */
export function inSight(placed: Placed[], from: number, to: number): Placed[] {
  return placed.filter(({ start, width, pinned }) => pinned || (start < to && start + width > from));
}

/** Pixels that a column wants, by its name and the first values. */
function width(column: Column, index: number, rows: Row[]): number {
  const longest = rows.slice(0, 50).reduce((most, row) => Math.max(most, row[index]?.length ?? 0), 0);
  const letters = Math.min(
    Math.max(column.name.length + 2, longest + (isNumber(column.type) ? 2 : 0), 5),
    42,
  );
  return Math.round(letters * 8.6 + 26);
}
