import { expect, it } from "vitest";
import { direction, turned, view } from "./view";

it("takes from an address what it knows, and nothing else", () => {
  expect(view({ tab: "matched", order: "amount:desc", q: "acme", row: 17 })).toEqual({
    tab: "matched",
    order: "amount:desc",
    q: "acme",
    row: 17,
  });
  expect(view({ tab: "elsewhere", order: ["a"], q: { b: 1 }, row: "x", other: 1 })).toEqual({});
  expect(view({ q: 2026, row: "3" })).toEqual({ q: "2026", row: 3 });
  expect(view({ hide: ["a", 7, {}], pin: "a", amount: ["x", "y"] })).toEqual({
    hide: ["a", "7"],
    amount: ["x", "y"],
  });
  expect(view({ hide: [], amount: ["x"] })).toEqual({});
  expect(view({ row: -1 })).toEqual({});
  expect(view({ row: 1.5 })).toEqual({});
});

it("turns an order: up, down, as in the file", () => {
  expect(turned(undefined, "amount")).toBe("amount");
  expect(turned("amount", "amount")).toBe("amount:desc");
  expect(turned("amount:desc", "amount")).toBeUndefined();
  expect(turned("amount:desc", "id")).toBe("id");
  expect(["amount", "amount:desc", "id"].map((order) => direction(order, "amount"))).toEqual([
    "ascending",
    "descending",
    "none",
  ]);
});
