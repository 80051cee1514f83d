import { expect, it } from "vitest";
import { localised, parted } from "./sentences";

it.each([
  ["11 rows match, 5,246.10 allowed", "11 rows match, 5.246,10 allowed"],
  ["open (1,125,360.12 EUR, 0.50 USD)", "open (1.125.360,12 EUR, 0,50 USD)"],
  ["2 apart; 3.", "2 apart; 3."],
  // Names and dates hold no numbers.
  [
    "ledger_2026_10 and bank-1200 on 2026-10-01 at 10:30",
    "ledger_2026_10 and bank-1200 on 2026-10-01 at 10:30",
  ],
  ["`1,000.5` in line 1,812", "`1,000.5` in line 1.812"],
  ["v1.2.3 and 10.0.0.1", "v1.2.3 and 10.0.0.1"],
])("%s", (sentence, shown) => {
  expect(localised(sentence, "de-DE")).toBe(shown);
  expect(localised(sentence, "en-US")).toBe(sentence);
});

it("finds the parts of a sentence", () => {
  const [open, apart] = [{ text: "2 rows are open" }, { text: "9 apart" }];
  expect(parted("a and b differ: 9 apart; 2 rows are open", [apart, open])).toEqual([
    "a and b differ: ",
    apart,
    "; ",
    open,
  ]);
  expect(parted("all agree", [open])).toEqual(["all agree"]);
  expect(parted("2 rows are open.", [open])).toEqual([open, "."]);
});
