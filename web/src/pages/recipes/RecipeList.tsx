/** Recipes, each with what its latest run found. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/client";
import { manifest } from "../../api/runs";
import { SmallBalance } from "../../components/Balance";
import { currencies, currencyName, usualPair, worth } from "../../components/sums";
import { Ago } from "../../components/Time";
import { count, decimal, plural } from "../../format/numbers";
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

function One({ recipe, latest, completed }: Standing) {
  const done = completed[0];
  const complete = done?.complete;
  const open = complete ? complete.unmatched_left_count + complete.unmatched_right_count : undefined;
  return (
    <li className="grid items-center gap-x-6 gap-y-2 rounded-lg border border-line bg-surface px-4 py-3 text-sm md:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_8rem_14rem]">
      <div className="min-w-0">
        <Link to="/recipes/$id" params={{ id: recipe.recipe_id }} className="font-semibold hover:underline">
          {recipe.name || recipe.recipe_id}
        </Link>
        <p className="truncate text-xs text-quiet">
          {recipe.match_description || recipe.description || recipe.recipe_id}
        </p>
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
      <Trend rates={completed.map(rate).reverse()} />
      <p className="text-right">
        {open === undefined ? "not run yet" : open === 0 ? "nothing open" : `${count(open)} open`}
        {open !== undefined && open > 0 && done && <Worth run={done} />}
        <span className="block text-xs text-quiet">
          {latest?.created ? <Ago at={latest.created} /> : plural(0, "run")}
        </span>
      </p>
    </li>
  );
}

/** What is open of each side, in the columns that are likely to be meant. */
function Worth({ run }: { run: Run }) {
  const { data } = useQuery(manifest(run.run_id));
  const pair = data && usualPair(data);
  if (!pair) return null;
  const more = currencies(data.sums, pair).slice(1);
  const parts = (["left", "right"] as const).map((side, index) => {
    return {
      text: decimal(worth(data.sums, side, pair)?.unmatched ?? ""),
      what: `${run.sources[index]?.alias ?? side}.${pair[index]} that is open`,
    };
  });
  return (
    <span className="block text-xs whitespace-nowrap">
      {parts.map(({ text, what }, index) => (
        <span key={what} title={what}>
          {index > 0 && " · "}
          {text}
        </span>
      ))}
      {pair[2] !== undefined && ` ${currencyName(pair[2])}`}
      {more.length > 0 && (
        <span title={`and ${more.map(currencyName).join(", ")}`} className="text-quiet">
          {" "}
          +{more.length}
        </span>
      )}
    </span>
  );
}
