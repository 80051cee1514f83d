/** Recipes, each with what its latest run found. */
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { aliases, SmallBalance } from "../../components/Balance";
import { Open } from "../../components/Open";
import { Ago } from "../../components/Time";
import { wrongs } from "../../components/Verdict";
import { plural } from "../../format/numbers";
import { summary } from "./Described";
import { rate, type Standing } from "./standing";
import { Trend } from "./Trend";

export function RecipeList({ stands }: { stands: Standing[] }) {
  return (
    <ul className="grid grid-cols-[minmax(0,1fr)] gap-2">
      {stands.map((standing) => (
        <One key={standing.recipe.recipe_id} {...standing} />
      ))}
    </ul>
  );
}

function One({ recipe, latest, completed: done, found, runs }: Standing) {
  const complete = done?.complete;
  const wrong = complete && wrongs(complete);
  return (
    <li className="grid items-center gap-x-6 gap-y-2 rounded-lg border border-line bg-surface px-4 py-3 text-sm md:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_8rem_14rem]">
      <div className="min-w-0">
        <Link to="/recipes/$id" params={{ id: recipe.recipe_id }} className="font-semibold hover:underline">
          {recipe.name || recipe.recipe_id}
        </Link>
        <p className="truncate text-xs text-quiet">{summary(recipe)}</p>
        {wrong && (
          <p className="flex items-start gap-1 text-xs text-error">
            <TriangleAlert aria-hidden className="mt-px size-3.5 shrink-0" />
            {wrong}
          </p>
        )}
      </div>
      {done && complete ? (
        <Link
          to="/runs/$id"
          params={{ id: done.run_id }}
          aria-label={`Latest run of ${recipe.name || recipe.recipe_id}`}
        >
          <SmallBalance run={done} complete={complete} />
        </Link>
      ) : (
        <span />
      )}
      <Trend rates={found.map(rate).reverse()} />
      <p className="text-right">
        {done && complete ? <Open names={aliases(done)} complete={complete} /> : "not run yet"}
        <span className="block text-xs text-quiet">
          {latest?.created ? <Ago at={latest.created} /> : plural(runs, "run")}
        </span>
      </p>
    </li>
  );
}
