import { expect, it } from "vitest";
import type { ColumnSum } from "../api/client";
import { amountColumns, amounts, currencies, settled, usualPair, worth } from "./sums";

type Of = [currency: string, matched: string, unmatched: string];

const sum = (
  side: "left" | "right",
  column: string,
  matched: string,
  unmatched: string,
  by: Of[] = [],
): ColumnSum => ({
  side,
  column,
  matched,
  unmatched,
  by_currency: by.map(([currency, matched, unmatched]) => ({ currency, matched, unmatched })),
});

const plain = [
  sum("left", "tax", "19.00", "1.00"),
  sum("left", "amount", "100.00", "-5.00"),
  sum("right", "fee", "3.10", "0.00"),
  sum("right", "paid_amount", "99.98", "7.00"),
];

const mixed = [
  sum("left", "amount", "300.00", "20.00", [
    ["EUR", "200.00", "20.00"],
    ["USD", "100.00", "0.00"],
  ]),
  sum("right", "paid", "299.00", "900.00", [
    ["EUR", "199.00", "0.00"],
    ["SEK", "0.00", "900.00"],
    ["USD", "100.00", "0.00"],
  ]),
];

it("takes the columns that are called alike and sum up alike", () => {
  expect(usualPair({ sums: plain, control_totals: [] })).toEqual(["amount", "paid_amount"]);
  expect(usualPair({ sums: plain.slice(0, 2), control_totals: [] })).toBeUndefined();
});

it("takes what the conditions compare before anything else, and integers only so", () => {
  const total = { matched_left: "2", matched_right: "2", difference: "0", key: false, compared: true };
  const sums = [...plain, sum("left", "cents", "7", "0"), sum("right", "paid_cents", "7", "0")];
  expect(usualPair({ sums, control_totals: [] })).toEqual(["amount", "paid_amount"]);
  const control_totals = [{ left: "cents", right: "paid_cents", ...total }];
  expect(usualPair({ sums, control_totals })).toEqual(["cents", "paid_cents"]);
  const keys = control_totals.map((total) => ({ ...total, key: true }));
  expect(usualPair({ sums, control_totals: keys })).toEqual(["amount", "paid_amount"]);
  const names = (side: "left" | "right") =>
    amounts({ sums, control_totals }, side).map(({ column }) => column);
  expect(names("left")).toEqual(["tax", "amount", "cents"]);
  expect(amounts({ sums, control_totals: [] }, "right").map(({ column }) => column)).toEqual([
    "fee",
    "paid_amount",
  ]);
});

it("knows which whole numbers are amounts", () => {
  const total = { left: "cents", right: "paid", matched_left: "2", matched_right: "2", difference: "0" };
  const told = { ...total, compared: true, left_output: "cents", right_output: "paid_cents" };
  const totals = (key: boolean) => ({ sums: [], control_totals: [{ ...told, key }] });
  expect(amountColumns(totals(false), "matched")).toEqual(["cents", "paid_cents"]);
  expect(amountColumns(totals(false), "unmatched_right")).toEqual(["paid"]);
  expect(amountColumns(totals(false), "rejected_left")).toEqual([]);
  expect(amountColumns(totals(true), "matched")).toEqual([]);
  expect(amountColumns(undefined, "matched")).toEqual([]);
});

it("adds up no different currencies", () => {
  expect(currencies(mixed, ["amount", "paid"])).toEqual(["SEK", "EUR", "USD"]);
  expect(usualPair({ sums: mixed, control_totals: [] })).toEqual(["amount", "paid", "SEK"]);
  expect(settled(mixed, ["amount", "paid", "EUR"])).toEqual(["amount", "paid", "EUR"]);
  expect(settled(mixed, ["amount", "paid", "gone"])).toEqual(["amount", "paid", "SEK"]);
  expect(settled(plain, ["amount", "fee", "EUR"])).toEqual(["amount", "fee"]);
  expect(worth(mixed, "left", ["amount", "paid", "SEK"])).toEqual({ matched: "0.00", unmatched: "0.00" });
  expect(worth(mixed, "right", ["amount", "paid", "SEK"])?.unmatched).toBe("900.00");
});

it("leaves it at the sums where only one side has currencies", () => {
  expect(currencies([mixed[0], plain[3]] as ColumnSum[], ["amount", "paid_amount"])).toEqual([]);
});
