import { expect, it } from "vitest";
import { arrange, inSight } from "./columns";

const columns = ["a", "b", "c", "d"].map((name) => ({ name, type: "text", nullable: true }));
const names = (placed: { column: { name: string } }[]) => placed.map(({ column }) => column.name).join("");

it("puts what is pinned first and leaves out what is hidden", () => {
  expect(names(arrange(columns, [], [], []))).toBe("abcd");
  const placed = arrange(columns, [], ["b", "gone"], ["d", "gone"]);
  expect(names(placed)).toBe("dac");
  expect(placed.map(({ index }) => index)).toEqual([3, 0, 2]);
  const [first, second] = placed;
  expect(second?.start).toBe(first?.width);
});

it("knows what is in sight", () => {
  const placed = arrange(columns, [], [], ["a"]);
  const [, b, c] = placed;
  expect(names(inSight(placed, 0, 1))).toBe("a");
  expect(names(inSight(placed, (b?.start ?? 0) + 1, (c?.start ?? 0) + 1))).toBe("abc");
});
