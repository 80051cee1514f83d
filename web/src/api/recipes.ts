/** Recipes, tried, checked and saved. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, body, type CreateRunRequest, done, type Recipe, Refused } from "./client";

export const recipes = () =>
  queryOptions({
    queryKey: ["recipes"],
    queryFn: async ({ signal }) =>
      body(api.GET("/api/recipes", { params: { query: { limit: 1000 } }, signal })),
  });

export const standingsKey = ["standings"] as const;

/** How each of them stands. */
export const standings = () =>
  queryOptions({
    queryKey: standingsKey,
    queryFn: async ({ signal }) => body(api.GET("/api/standings", { signal })),
  });

export const recipe = (id: string) =>
  queryOptions({
    queryKey: ["recipes", id],
    queryFn: async ({ signal }) => body(api.GET("/api/recipes/{id}", { params: { path: { id } }, signal })),
  });

/** The latest first. */
export const versions = (id: string) =>
  queryOptions({
    queryKey: ["recipes", id, "versions"],
    queryFn: async ({ signal }) =>
      body(api.GET("/api/recipes/{id}/versions", { params: { path: { id } }, signal })),
  });

/** What a run would find, by a sample. */
export const tried = (request: CreateRunRequest) =>
  queryOptions({
    queryKey: ["tried", request],
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    // While the next one is tried, the last one is looked at.
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => body(api.POST("/api/recipes/dry-run", { body: request, signal })),
  });

/** Whether a run can be planned, and what is wrong with it. */
export const checked = (request: CreateRunRequest) =>
  queryOptions({
    queryKey: ["checked", request],
    gcTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => body(api.POST("/api/recipes/check", { body: request, signal })),
  });

/** Saves the next version of a recipe, of which this one is known: nobody else's change is lost. */
export const saveVersion = (recipe: Recipe, known: number): Promise<Recipe> =>
  body(
    api.PUT("/api/recipes/{id}", {
      params: { path: { id: recipe.recipe_id }, header: { "If-Match": `"${known}"` } },
      body: recipe,
    }),
  );

export const deleteRecipe = (id: string): Promise<void> =>
  done(api.DELETE("/api/recipes/{id}", { params: { path: { id } } }));

/** Saves a recipe under its own id, which is to be free: nothing where it is not. */
export async function saveIfFree(recipe: Recipe): Promise<Recipe | undefined> {
  const header = { "If-None-Match": "*" };
  try {
    return await body(api.POST("/api/recipes", { params: { header }, body: recipe }));
  } catch (error) {
    if (error instanceof Refused && error.status === 412) return undefined;
    throw error;
  }
}

/** Saves a recipe that is to be new: under its own id, or under the next that is free. */
export async function saveNew(recipe: Recipe): Promise<Recipe> {
  for (let n = 1; ; n++) {
    const saved = await saveIfFree({
      ...recipe,
      recipe_id: n === 1 ? recipe.recipe_id : `${recipe.recipe_id}-${n}`,
    });
    if (saved) return saved;
  }
}
