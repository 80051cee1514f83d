import { expect, it } from "vitest";
import { ago, between, duration } from "./times";

it.each([
  [0, "0.0 s"],
  [310, "0.3 s"],
  [12_400, "12 s"],
  [59_700, "1 min"],
  [185_000, "3 min 5 s"],
  [3_600_000, "1 h"],
  [7_800_000, "2 h 10 min"],
])("%d ms", (milliseconds, shown) => expect(duration(milliseconds)).toBe(shown));

it("tells how long ago", () => {
  const now = Date.parse("2026-06-15T12:00:00Z");
  const told = (then: string) => ago(then, now, "en-US");
  expect(told("2026-06-15T11:59:30Z")).toBe("just now");
  expect(told("2026-06-15T11:55:00Z")).toBe("5 minutes ago");
  expect(told("2026-06-15T09:00:00Z")).toBe("3 hours ago");
  expect(told("2026-06-14T12:00:00Z")).toBe("yesterday");
  expect(told("2026-01-02T12:00:00Z")).toBe("Jan 2, 2026");
});

it("knows no time between what is not known", () => {
  expect(between(undefined, "2026-06-15T12:00:00Z")).toBeUndefined();
  expect(between("2026-06-15T12:00:00Z", "2026-06-15T12:00:01Z")).toBe(1000);
});
