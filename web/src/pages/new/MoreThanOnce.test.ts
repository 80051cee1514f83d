import { expect, it } from "vitest";
import { told } from "./MoreThanOnce";

it("says how many rows match how often", () => {
  expect(told("a", { rows: 1, matches: 3, most: 3, row: 7 })).toBe(
    "1 row of a matches more than once: it stands in 3 matches.",
  );
  expect(told("b", { rows: 1200, matches: 5000, most: 12, row: 7 })).toBe(
    "1,200 rows of b match more than once: they stand in 5,000 matches, one of them in 12.",
  );
});
