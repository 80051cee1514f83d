/** What needs someone, what goes on, and how each recipe stands. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import type { Recipe, Run } from "../../api/client";
import { recipes as recipesQuery, runs as runsQuery } from "../../api/queries";
import { SmallBalance } from "../../components/Balance";
import { Failed, Skeleton } from "../../components/Shown";
import { ended, State } from "../../components/State";
import { Ago } from "../../components/Time";
import { count, plural } from "../../format/numbers";
import { NoRuns, RunList } from "../runs/RunList";
import { rate, standing } from "./standing";
import { Trend } from "./Trend";

export function OverviewPage() {
  const runs = useQuery(runsQuery());
  const recipes = useQuery(recipesQuery());
  useEffect(() => {
    document.title = "Overview · Kalla";
  }, []);
  const error = runs.error ?? recipes.error;
  if (error && !(runs.data && recipes.data))
    return <Failed error={error} again={() => void runs.refetch()} />;
  if (!runs.data || !recipes.data) return <Skeleton lines={5} height={56} />;
  const all = runs.data.runs;
  if (all.length === 0 && recipes.data.recipes.length === 0) return <NoRuns />;
  const going = all.filter((run) => !ended(run.state));
  const stands = standing(recipes.data.recipes, all);
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
          <ul className="grid gap-2">
            {stands.map(({ recipe, latest, completed }) => (
              <Standing key={recipe.recipe_id} recipe={recipe} latest={latest} completed={completed} />
            ))}
          </ul>
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

function Band({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-3 text-base">{title}</h2>
      {children}
    </section>
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

function Standing({ recipe, latest, completed }: { recipe: Recipe; latest?: Run; completed: Run[] }) {
  const done = completed[0];
  const complete = done?.complete;
  const open = complete ? complete.unmatched_left_count + complete.unmatched_right_count : undefined;
  return (
    <li className="grid items-center gap-x-6 gap-y-2 rounded-lg border border-line bg-surface px-4 py-3 text-sm md:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_8rem_9rem]">
      <div className="min-w-0">
        {done ? (
          <Link to="/runs/$id" params={{ id: done.run_id }} className="font-semibold hover:underline">
            {recipe.name || recipe.recipe_id}
          </Link>
        ) : (
          <span className="font-semibold">{recipe.name || recipe.recipe_id}</span>
        )}
        <p className="truncate text-xs text-quiet">
          {recipe.match_description || recipe.description || recipe.recipe_id}
        </p>
      </div>
      <div>{done && complete && <SmallBalance run={done} complete={complete} />}</div>
      <Trend rates={completed.map(rate).reverse()} />
      <p className="text-right">
        {open === undefined ? "not run yet" : open === 0 ? "nothing open" : `${count(open)} open`}
        <span className="block text-xs text-quiet">
          {latest?.created ? <Ago at={latest.created} /> : plural(0, "run")}
        </span>
      </p>
    </li>
  );
}
