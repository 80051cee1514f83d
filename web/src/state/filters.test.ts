import { expect, it } from "vitest";
import { asked, type Filter, filters, ops, words } from "./filters";

const all: Filter[] = [
  { column: "amount", op: "gte", value: "1000.00" },
  { column: "note", op: "empty" },
  { column: "note", op: "present" },
];

it("asks the API in its own words, with every digit", () => {
  expect(asked([])).toBeUndefined();
  expect(asked(all)).toBe(
    '[{"column":"amount","op":"gte","value":"1000.00"},{"column":"note","op":"is_null","value":true},{"column":"note","op":"is_null","value":false}]',
  );
});

it("says them to people", () => {
  expect(all.map(words)).toEqual(["amount at least 1000.00", "note has no value", "note has a value"]);
});

it("takes from an address what it knows", () => {
  expect(filters(all)).toEqual(all);
  expect(filters([{ column: "n", op: "eq", value: 7 }])).toEqual([{ column: "n", op: "eq", value: "7" }]);
  expect(
    filters([{ column: "n", op: "eq" }, { op: "eq", value: "1" }, { column: "n", op: "drop" }, 1, null]),
  ).toEqual([]);
  expect(filters("x")).toEqual([]);
});

it("asks of a column what its type allows", () => {
  expect(ops("text")).toContain("contains");
  expect(ops("decimal(18,2)")).toContain("gte");
  expect(ops("boolean")).toEqual(["eq", "neq", "empty", "present"]);
});
