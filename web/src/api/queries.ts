/** What pages ask for, and under which key it is kept. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  api,
  body,
  type CreateRunRequest,
  type Filter,
  type ListRunsResponse,
  type PreviewSourceResponse,
  type ReadOptions,
  type Recipe,
  Refused,
  type RegisteredSource,
  type Run,
  refused,
  type TestConnectionResponse,
  type Upload,
} from "./client";

/** Parts of a result, as they stand in addresses. */
export const SETS = [
  "matched",
  "unmatched_left",
  "unmatched_right",
  "rejected_left",
  "rejected_right",
] as const;
export type ResultSet = (typeof SETS)[number];
export type Side = "left" | "right";

/** Which rows of a result, in which order. */
export interface Selection {
  run: string;
  set: ResultSet;
  order?: string;
  q?: string;
  /** A JSON array of filters. */
  filter?: string;
}

export const runsKey = ["runs"] as const;
export const runKey = (id: string) => ["run", id] as const;

/** Answers and events overtake each other on the way: whatever is newer stays. */
export function latest(known: Run | undefined, news: Run): Run {
  return known && known.version > news.version ? known : news;
}

/** The latest first; of one recipe, where that is said. */
export const runs = (recipe_id = "", limit = 100) =>
  queryOptions({
    queryKey: [...runsKey, recipe_id],
    structuralSharing: (known, news) => {
      const before = new Map((known as ListRunsResponse | undefined)?.runs.map((run) => [run.run_id, run]));
      const list = news as ListRunsResponse;
      return { ...list, runs: list.runs.map((run) => latest(before.get(run.run_id), run)) };
    },
    queryFn: async ({ signal }) =>
      body(api.GET("/api/runs", { params: { query: { limit, ...(recipe_id && { recipe_id }) } }, signal })),
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: runKey(id),
    structuralSharing: (known, news) => latest(known as Run | undefined, news as Run),
    queryFn: async ({ signal }) => body(api.GET("/api/runs/{id}", { params: { path: { id } }, signal })),
  });

export const recipes = () =>
  queryOptions({
    queryKey: ["recipes"],
    queryFn: async ({ signal }) =>
      body(api.GET("/api/recipes", { params: { query: { limit: 1000 } }, signal })),
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

export const page = (selection: Selection, offset: number, limit: number) =>
  queryOptions({
    queryKey: ["rows", selection, offset, limit],
    // What a run has written never changes.
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const { run: id, set, ...choice } = selection;
      const query = { ...choice, offset, limit };
      return body(api.GET("/api/runs/{id}/results/{set}", { params: { path: { id, set }, query }, signal }));
    },
  });

/** What is in the columns of the rows that are looked at. */
export const summary = ({ run: id, set, q, filter }: Selection) =>
  queryOptions({
    queryKey: ["summary", id, set, q, filter],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const params = { path: { id, set }, query: { ...(q && { q }), ...(filter && { filter }) } };
      return body(api.GET("/api/runs/{id}/results/{set}/summary", { params, signal }));
    },
  });

export const why = (id: string, side: Side, row: number) =>
  queryOptions({
    queryKey: ["why", id, side, row],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const path = { id, side, row: String(row) };
      return body(api.GET("/api/runs/{id}/why/{side}/{row}", { params: { path }, signal }));
    },
  });

/** What a run has read and written, and by which rule. */
export const manifest = (id: string) =>
  queryOptions({
    queryKey: ["manifest", id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) =>
      body(api.GET("/api/runs/{id}/manifest", { params: { path: { id } }, signal })),
  });

/** Rows of a side as a run has read them, by their numbers. */
export const sourceRows = (id: string, side: Side, rows: string) =>
  queryOptions({
    queryKey: ["source rows", id, side, rows],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: rows !== "",
    queryFn: async ({ signal }) => {
      const params = { path: { id, side }, query: { rows } };
      return body(api.GET("/api/runs/{id}/rows/{side}", { params, signal }));
    },
  });

export const uploaded = (id: string) =>
  queryOptions({
    queryKey: ["upload", id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => body(api.GET("/api/uploads/{id}", { params: { path: { id } }, signal })),
  });

/** What the gateway is made of, and whether it works. */
export const system = () =>
  queryOptions({
    queryKey: ["system"],
    refetchInterval: 15_000,
    queryFn: async ({ signal }) => body(api.GET("/api/system", { signal })),
  });

/** One side of a reconciliation: a file that came, or a registered source, and its first rows. */
export interface SideRows {
  name: string;
  /** Absent: it is a registered source of this name. */
  upload?: Upload;
  preview: PreviewSourceResponse;
  /** How it is read, where somebody says. */
  options?: ReadOptions;
}

/** As it is read already, with more that stands for no value. */
function reading(known: ReadOptions | undefined, nulls: string[]): ReadOptions | undefined {
  if (nulls.length === 0) return known;
  const plain: ReadOptions = { format: "unspecified", encoding: "unspecified", nulls: [], types: {} };
  const { nulls: before, ...rest } = known ?? plain;
  return { ...rest, nulls: [...new Set([...before, ...nulls])] };
}

/** What a registered source is called where ids of uploads stand. */
export const SOURCE = "source:";

/** `id`: of an upload, or `source:` and the name of a source. `nulls`: what stands for no value in it, beside nothing. */
export const side = (id: string, nulls: string[] = []) =>
  queryOptions({
    queryKey: ["side", id, nulls],
    enabled: id !== "",
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }): Promise<SideRows> => {
      const scope = (options: ReadOptions | undefined) => ({
        filters: [],
        limit: 1000,
        ...(options && { options }),
      });
      if (id.startsWith(SOURCE)) {
        const alias = id.slice(SOURCE.length);
        const params = { path: { alias } };
        const known = await body(api.GET("/api/sources/{alias}", { params, signal }));
        const options = reading(known.options, nulls);
        const asked = { params, body: scope(options), signal };
        const preview = await body(api.POST("/api/sources/{alias}/load-scoped", asked));
        return { name: alias, preview, ...(nulls.length > 0 && options && { options }) };
      }
      const options = reading(undefined, nulls);
      const params = { path: { id } };
      const [upload, preview] = await Promise.all([
        body(api.GET("/api/uploads/{id}", { params, signal })),
        body(api.POST("/api/uploads/{id}/load-scoped", { params, body: scope(options), signal })),
      ]);
      return { name: upload.name, upload, preview, ...(options && { options }) };
    },
  });

const sourcesKey = ["sources"] as const;

export const sources = () =>
  queryOptions({
    queryKey: sourcesKey,
    queryFn: async ({ signal }) =>
      body(api.GET("/api/sources", { params: { query: { limit: 1000 } }, signal })),
  });

/** The first rows of a registered source that pass filters, as they are now. */
export const sourcePreview = (alias: string, filters: Filter[]) =>
  queryOptions({
    queryKey: [...sourcesKey, alias, "preview", filters],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const asked = { params: { path: { alias } }, body: { filters, limit: 20 }, signal };
      return body(api.POST("/api/sources/{alias}/load-scoped", asked));
    },
  });

/** Registers a source that is to be new. */
export const register = (source: RegisteredSource): Promise<RegisteredSource> =>
  body(api.POST("/api/sources", { params: { header: { "If-None-Match": "*" } }, body: source }));

/** Changes a source, of which this version is known: nobody else's change is lost. */
export const changeSource = (source: RegisteredSource): Promise<RegisteredSource> =>
  body(
    api.PUT("/api/sources/{alias}", {
      params: { path: { alias: source.alias }, header: { "If-Match": `"${source.version}"` } },
      body: source,
    }),
  );

/** Whether a source can be read, and what stands in the way. */
export const test = (alias: string): Promise<TestConnectionResponse> =>
  body(api.POST("/api/sources/{alias}/test", { params: { path: { alias } } }));

export async function forget(alias: string): Promise<void> {
  const { error, response } = await api.DELETE("/api/sources/{alias}", { params: { path: { alias } } });
  if (!response.ok) throw refused(error, response.status);
}

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

export async function deleteRecipe(id: string): Promise<void> {
  const { error, response } = await api.DELETE("/api/recipes/{id}", { params: { path: { id } } });
  if (!response.ok) throw refused(error, response.status);
}

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

export const begin = (request: CreateRunRequest): Promise<Run> =>
  body(api.POST("/api/runs", { body: request }));

export const cancel = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/cancel", { params: { path: { id } } }));

export const retry = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/retry", { params: { path: { id } } }));

/** Where the same rows are as a file; `columns`: a JSON array of those that are wanted. */
export function file({ run: id, set, ...choice }: Selection, format: string, columns?: string): string {
  const given = Object.entries({ ...choice, columns, format }).filter(([, value]) => value);
  return `/api/runs/${encodeURIComponent(id)}/results/${set}?${new URLSearchParams(given as [string, string][])}`;
}
