import { expect, it } from "vitest";
import { isZero, minus, plus, size } from "./decimals";

it.each([
  ["2664174.11", "348191.79", "3012365.90", "2315982.32"],
  ["0.1", "0.2", "0.3", "-0.1"],
  ["-5", "0.05", "-4.95", "-5.05"],
  ["0", "0.00", "0.00", "0.00"],
  [
    "99999999999999999999999999999999999.99",
    "0.01",
    "100000000000000000000000000000000000.00",
    "99999999999999999999999999999999999.98",
  ],
])("%s and %s", (a, b, sum, difference) => {
  expect(plus(a, b)).toBe(sum);
  expect(minus(a, b)).toBe(difference);
});

it("computes with nothing else", () => {
  expect(plus("1e5", "1")).toBeUndefined();
  expect(minus("", "1")).toBeUndefined();
});

it("knows signs and zero", () => {
  expect([size("-1.50"), size("2")]).toEqual(["1.50", "2"]);
  expect(["0", "-0.00", "0.01", "", "NaN"].map(isZero)).toEqual([true, true, false, false, false]);
});
