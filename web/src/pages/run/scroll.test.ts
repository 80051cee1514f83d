import { expect, it } from "vitest";
import { along } from "./scroll";

it("leads from the first row to the last, however many there are", () => {
  const full = 5_000_000 * 32;
  expect(along(0, 600, 8_000_000, full)).toBe(0);
  expect(along(8_000_000 - 600, 600, 8_000_000, full)).toBeCloseTo(full - 600);
  expect(along((8_000_000 - 600) / 2, 600, 8_000_000, full)).toBeCloseTo((full - 600) / 2);
  expect(along(0, 600, 320, 320), "all of it is in sight").toBe(0);
});
