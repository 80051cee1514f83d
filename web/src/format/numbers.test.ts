import { describe, expect, it } from "vitest";
import { bytes, count, decimal, percent, plural } from "./numbers";

describe("decimal", () => {
  it.each([
    ["0", "0"],
    ["999", "999"],
    ["1000", "1,000"],
    ["-1234567.50", "-1,234,567.50"],
    ["0.0200", "0.0200"],
    // More digits than a double holds.
    ["12345678901234567890.123456789012345678", "12,345,678,901,234,567,890.123456789012345678"],
    // No plain numbers.
    ["1e5", "1e5"],
    ["", ""],
    ["n/a", "n/a"],
    ["1.", "1."],
  ])("%s", (text, shown) => expect(decimal(text, "en-US")).toBe(shown));

  it("follows the reader", () => {
    expect(decimal("1234567.50", "de-DE")).toBe("1.234.567,50");
    expect(decimal("1234567.50", "fr-FR")).toBe("1\u202f234\u202f567,50");
  });
});

describe("percent", () => {
  it.each([
    [0, "0%"],
    [0.00001, "<0.1%"],
    [0.001, "0.1%"],
    [0.5, "50.0%"],
    [0.29, "29.0%"],
    [0.90972, "90.9%"],
    [0.57, "57.0%"],
    // One row of a million is still open.
    [0.999999, "99.9%"],
    [1, "100%"],
  ])("%d", (share, shown) => expect(percent(share, "en-US")).toBe(shown));
});

it("counts", () => {
  expect(count(1234567, "en-US")).toBe("1,234,567");
  expect([plural(0, "run"), plural(1, "run"), plural(2, "match", "matches")]).toEqual([
    "0 runs",
    "1 run",
    "2 matches",
  ]);
});

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 kB"],
  [277_743, "278 kB"],
  [1_250_000, "1.3 MB"],
  [2_147_840_016, "2.1 GB"],
])("%d bytes", (size, shown) => expect(bytes(size, "en-US")).toBe(shown));
