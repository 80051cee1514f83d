import { expect, it } from "vitest";
import type { ColumnSum } from "../api/client";
import { usualPair } from "./sums";

const sum = (side: "left" | "right", column: string, matched: string, unmatched: string): ColumnSum => ({
  side,
  column,
  matched,
  unmatched,
});
const sums = [
  sum("left", "tax", "19.00", "1.00"),
  sum("left", "amount", "100.00", "-5.00"),
  sum("right", "fee", "3.10", "0.00"),
  sum("right", "paid_amount", "99.98", "7.00"),
];

it("takes the columns that are called alike and sum up alike", () => {
  expect(usualPair(sums)).toEqual(["amount", "paid_amount"]);
  expect(usualPair(sums.slice(0, 2))).toBeUndefined();
});
