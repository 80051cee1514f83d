import { expect, it } from "vitest";
import type { Recipe, Run } from "../../api/client";
import { rate, standing } from "./standing";

const recipe = { recipe_id: "r" } as Recipe;
const run = (matched: number, state: Run["state"] = "completed", recipe_id = "r") =>
  ({
    recipe_id,
    state,
    complete: {
      matched_left_count: matched,
      matched_right_count: matched,
      total_left: 100,
      total_right: 100,
    },
  }) as Run;

it("compares the latest completed run with the one before", () => {
  expect(standing([recipe], [run(90), run(95)])[0]?.fell).toBe(true);
  expect(standing([recipe], [run(95), run(90)])[0]?.fell).toBe(false);
  expect(standing([recipe], [run(90)])[0]?.fell).toBe(false);
  expect(standing([recipe], [run(90), run(95, "completed", "other")])[0]?.fell).toBe(false);
  // One that failed since says so itself.
  expect(standing([recipe], [run(0, "failed"), run(90), run(95)])[0]).toMatchObject({
    fell: false,
    latest: { state: "failed" },
  });
});

it("takes two empty sides for agreed", () => {
  expect(rate({ complete: { total_left: 0, total_right: 0 } } as Run)).toBe(1);
  expect(rate(run(25))).toBe(0.25);
});
