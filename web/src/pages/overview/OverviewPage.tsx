/** What needs someone, what goes on, and how each recipe stands. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/client";
import { recipes as recipesQuery, standings as standingsQuery } from "../../api/recipes";
import { runs as runsQuery } from "../../api/runs";
import { Band } from "../../components/Band";
import { Failed, Skeleton } from "../../components/Shown";
import { ended, State } from "../../components/State";
import { Ago } from "../../components/Time";
import { useTitle } from "../../state/title";
import { RecipeList } from "../recipes/RecipeList";
import { standing } from "../recipes/standing";
import { NoRuns, RunList } from "../runs/RunList";

export function OverviewPage() {
  const runs = useQuery(runsQuery());
  const recipes = useQuery(recipesQuery());
  const standings = useQuery(standingsQuery());
  useTitle("Overview");
  const error = runs.error ?? recipes.error ?? standings.error;
  if (error && !(runs.data && recipes.data && standings.data))
    return <Failed error={error} again={() => void runs.refetch()} />;
  if (!runs.data || !recipes.data || !standings.data) return <Skeleton lines={5} height={56} />;
  const all = runs.data.runs;
  if (all.length === 0 && recipes.data.recipes.length === 0)
    return (
      <>
        <h1 className="mb-4 text-xl">Overview</h1>
        <NoRuns />
      </>
    );
  const going = all.filter((run) => !ended(run.state));
  const stands = standing(recipes.data.recipes, standings.data);
  const failed = stands.filter(({ latest }) => latest?.state === "failed");
  const fallen = stands.filter(({ fell }) => fell);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
      <h1 className="text-xl">Overview</h1>
      {failed.length + fallen.length > 0 && (
        <Band title="Needs someone">
          <ul className="grid gap-2">
            {failed.map(({ recipe, latest }) => latest && <Need key={recipe.recipe_id} run={latest} />)}
            {fallen.map(
              ({ recipe, latest }) =>
                latest && (
                  <Need
                    key={recipe.recipe_id}
                    run={latest}
                    text="It matches fewer rows than the run before."
                  />
                ),
            )}
          </ul>
        </Band>
      )}
      {going.length > 0 && (
        <Band title="Going on">
          <RunList runs={going} />
        </Band>
      )}
      {stands.length > 0 && (
        <Band title="Recipes">
          <RecipeList stands={stands} />
        </Band>
      )}
      {all.length > 0 && (
        <Band title="Latest runs">
          <RunList runs={all.slice(0, 5)} />
          {all.length > 5 && (
            <Link to="/runs" className="mt-2 inline-block text-sm text-accent hover:underline">
              All runs
            </Link>
          )}
        </Band>
      )}
    </div>
  );
}

function Need({ run, text }: { run: Run; text?: string }) {
  return (
    <li className="relative rounded-lg border border-error/40 bg-surface px-4 py-3 text-sm hover:bg-raised">
      <p className="flex flex-wrap gap-x-4">
        <Link
          to="/runs/$id"
          params={{ id: run.run_id }}
          className="font-semibold after:absolute after:inset-0"
        >
          {run.name}
        </Link>
        <State state={run.state} />
        <span className="text-quiet">{run.created && <Ago at={run.created} />}</span>
      </p>
      <p className="mt-1 text-error">{text ?? run.error?.error}</p>
    </li>
  );
}
