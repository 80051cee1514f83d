/** All recipes, and how each stands. */
import { useQuery } from "@tanstack/react-query";
import { recipes as recipesQuery, standings as standingsQuery } from "../../api/recipes";
import { Failed, Skeleton } from "../../components/Shown";
import { useTitle } from "../../state/title";
import { NoRuns } from "../runs/RunList";
import { Import } from "./Import";
import { RecipeList } from "./RecipeList";
import { standing } from "./standing";

export function RecipesPage() {
  const recipes = useQuery(recipesQuery());
  const standings = useQuery(standingsQuery());
  useTitle("Recipes");
  const error = recipes.error ?? standings.error;
  return (
    <>
      <div className="mb-4 flex flex-wrap items-start justify-between gap-4">
        <h1 className="text-xl">Recipes</h1>
        <Import />
      </div>
      {error && !(recipes.data && standings.data) ? (
        <Failed error={error} again={() => void recipes.refetch()} />
      ) : !recipes.data || !standings.data ? (
        <Skeleton lines={4} height={56} />
      ) : recipes.data.recipes.length === 0 ? (
        <NoRuns />
      ) : (
        <RecipeList stands={standing(recipes.data.recipes, standings.data)} />
      )}
    </>
  );
}
