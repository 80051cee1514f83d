import { expect, it } from "vitest";
import type { Found, Recipe, Run, Standing } from "../../api/client";
import { rate, standing } from "./standing";

const recipe = { recipe_id: "r" } as Recipe;
const found = (matched: number, run_id = `of ${matched}`): Found => ({
  run_id,
  recipe_version: 1,
  total_left: 100,
  total_right: 100,
  unmatched_left_count: 100 - matched,
  unmatched_right_count: 100 - matched,
  open_left: [],
  open_right: [],
  wrong: false,
});
const told = (latest: string, ...all: Found[]): Standing => ({
  recipe_id: "r",
  runs: 200,
  latest: { run_id: latest, state: latest === "failed" ? "failed" : "completed" } as Run,
  found: all,
});

it("compares the latest completed run with the one before", () => {
  expect(standing([recipe], [told("of 90", found(90), found(95))])[0]?.fell).toBe(true);
  expect(standing([recipe], [told("of 95", found(95), found(90))])[0]?.fell).toBe(false);
  expect(standing([recipe], [told("of 90", found(90))])[0]?.fell).toBe(false);
  // One that failed since says so itself.
  expect(standing([recipe], [told("failed", found(90), found(95))])[0]).toMatchObject({
    fell: false,
    latest: { state: "failed" },
    runs: 200,
  });
});

it("knows what has not run", () => {
  const other = { recipe_id: "other" } as Recipe;
  const of = told("of 90", found(90));
  expect(standing([other], [of])).toEqual([{ recipe: other, found: [], runs: 0, fell: false }]);
});

it("takes two empty sides for agreed", () => {
  expect(
    rate({ ...found(0), total_left: 0, total_right: 0, unmatched_left_count: 0, unmatched_right_count: 0 }),
  ).toBe(1);
  expect(rate(found(25))).toBe(0.25);
});
