/** How recipes stand, from their latest runs. */
import type { Recipe, Run } from "../../api/client";

export interface Standing {
  recipe: Recipe;
  /** Of any state. */
  latest?: Run;
  /** The latest first. */
  completed: Run[];
  /** Whether the latest completed run matches fewer rows, by share, than the one before. */
  fell: boolean;
}

/** Share of the rows of both sides that match. */
export function rate(run: Run): number {
  const {
    matched_left_count = 0,
    matched_right_count = 0,
    total_left = 0,
    total_right = 0,
  } = run.complete ?? {};
  const total = total_left + total_right;
  return total === 0 ? 1 : (matched_left_count + matched_right_count) / total;
}

/** `runs`: the latest first. */
export function standing(recipes: Recipe[], runs: Run[]): Standing[] {
  return recipes.map((recipe) => {
    const own = runs.filter((run) => run.recipe_id === recipe.recipe_id);
    const completed = own.filter((run) => run.state === "completed");
    const [now, before] = completed;
    const fell = now !== undefined && before !== undefined && rate(now) < rate(before);
    return { recipe, ...(own[0] && { latest: own[0] }), completed, fell: fell && own[0] === now };
  });
}
