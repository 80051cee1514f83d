import { expect, it } from "vitest";
import type { ColumnSum, Run } from "../../api/client";
import { apart } from "../../components/sums";
import { amountBars } from "./bars";

const sum = (side: "left" | "right", column: string, matched: string, unmatched: string): ColumnSum => ({
  side,
  column,
  matched,
  unmatched,
  by_currency: [],
});
const sums = [
  sum("left", "tax", "19.00", "1.00"),
  sum("left", "amount", "100.00", "-5.00"),
  sum("right", "fee", "3.10", "0.00"),
  sum("right", "paid_amount", "99.98", "7.00"),
];
const run = { sources: [{ alias: "invoices" }, { alias: "payments" }] } as Run;

it("makes bars of sums, to the last digit", () => {
  const [left, right] = amountBars(run, sums, ["amount", "paid_amount"]) ?? [];
  expect([left?.name, left?.total.text, left?.open]).toEqual([
    "invoices.amount",
    "95.00",
    { size: 5, text: "-5.00" },
  ]);
  expect(right?.total.text).toBe("106.98");
  expect(apart(sums, ["amount", "paid_amount"])).toBe("0.02");
  expect(amountBars(run, sums, ["amount", "gone"])).toBeUndefined();
});
