/** How recipes stand, as the gateway tells it: by the latest runs of each, however many there are. */
import type { Found, Recipe, Run, Standing as Told } from "../../api/client";

export interface Standing {
  recipe: Recipe;
  /** Of any state. */
  latest?: Run;
  completed?: Run;
  /** The latest first. */
  found: Found[];
  runs: number;
  /** Whether the latest completed run matches fewer rows, by share, than the one before. */
  fell: boolean;
}

/** Share of the rows of both sides that match. */
export function rate(
  found: Pick<Found, "total_left" | "total_right" | "unmatched_left_count" | "unmatched_right_count">,
): number {
  const total = found.total_left + found.total_right;
  const open = found.unmatched_left_count + found.unmatched_right_count;
  return total === 0 ? 1 : (total - open) / total;
}

export function standing(recipes: Recipe[], told: Told[]): Standing[] {
  const known = new Map(told.map((one) => [one.recipe_id, one]));
  return recipes.map((recipe) => {
    const { latest, completed, found = [], runs = 0 } = known.get(recipe.recipe_id) ?? {};
    const [now, before] = found;
    const fell = now !== undefined && before !== undefined && rate(now) < rate(before);
    return {
      recipe,
      ...(latest && { latest }),
      ...(completed && { completed }),
      found,
      runs,
      // One that failed since says so itself.
      fell: fell && latest?.run_id === now.run_id,
    };
  });
}
