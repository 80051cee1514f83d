/** Compared columns: which come first, and what is looked at when one of them is chosen. */
import type { ColumnDifferences, Differences } from "../../api/client";
import type { Filter } from "../../state/filters";

export const DIFFERS = "_differs";

/** Matches in which the column differs. */
export function differing({ different, missing_left, missing_right }: ColumnDifferences): number {
  return different + missing_left + missing_right;
}

/** Those that differ most come first; of as many, the one that is compared first. */
export function ordered(columns: ColumnDifferences[]): ColumnDifferences[] {
  return [...columns].sort((a, b) => differing(b) - differing(a));
}

/** The column that the filters look at. */
export function differsIn(filters: Filter[]): string | undefined {
  return filters.find(({ column, op }) => column === DIFFERS && op === "contains")?.value;
}

/** The columns of the matched set that show a column side by side. */
export function shownWith({ key_columns }: Differences, column: ColumnDifferences): string[] {
  return [...key_columns, column.left_output, column.right_output];
}
