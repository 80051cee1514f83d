import { expect, it } from "vitest";
import type { ColumnSum, Run } from "../../api/client";
import { amountBars, met } from "./bars";

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
  expect(amountBars(run, sums, ["amount", "gone"])).toBeUndefined();
});

it.each([
  ["100.00", "0.0400", true, { sign: "−", apart: "0.02", allowed: "0.04", off: false }],
  ["100.00", "0.0150", true, { sign: "−", apart: "0.02", allowed: "0.015", off: true }],
  ["99.98", "0", true, { sign: "+", allowed: "0", off: false }],
  ["90.00", "5246.1000", true, { sign: "+", apart: "9.98", allowed: "5,246.10", off: false }],
  // Nothing compares them, or nobody says how near they have to be.
  ["90.00", "0", false, { sign: "+", apart: "9.98", off: false }],
  ["90.00", undefined, true, { sign: "+", apart: "9.98", off: false }],
])("%s against 99.98, %s allowed", (matched, allowed, compared, told) => {
  const sums = [sum("left", "a", matched, "0.00"), sum("right", "b", "99.98", "0.00")];
  const total = { left: "a", right: "b", matched_left: "", matched_right: "", difference: "", key: false };
  const control_totals = [{ ...total, compared, ...(allowed !== undefined && { allowed }) }];
  expect(met({ sums, control_totals }, ["a", "b"])).toEqual({ left: matched, right: "99.98", ...told });
});
