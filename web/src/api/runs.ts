/** Runs and what they have found: what is asked for, and under which key it is kept. */
import { queryOptions } from "@tanstack/react-query";
import { api, body, type CreateRunRequest, type ListRunsResponse, type Run } from "./client";

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
  /** Of matches, by those beside them. */
  only?: string;
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
export const summary = ({ run: id, set, q, filter, only }: Selection) =>
  queryOptions({
    queryKey: ["summary", id, set, q, filter, only],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const params = {
        path: { id, set },
        query: { ...(q && { q }), ...(filter && { filter }), ...(only && { only }) },
      };
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

export const begin = (request: CreateRunRequest): Promise<Run> =>
  body(api.POST("/api/runs", { body: request }));

export const cancel = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/cancel", { params: { path: { id } } }));

export const retry = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/retry", { params: { path: { id } } }));

/** A kind of file; `spreadsheet`: its text starts no formula. */
export interface FileKind {
  format: string;
  spreadsheet?: boolean;
}

/** Where the same rows are as a file; `columns`: a JSON array of those that are wanted. */
export function file({ run: id, set, ...choice }: Selection, kind: FileKind, columns?: string): string {
  const { format, spreadsheet } = kind;
  const wanted = { ...choice, columns, format, spreadsheet: spreadsheet && "true" };
  const given = Object.entries(wanted).filter(([, value]) => value);
  return `/api/runs/${encodeURIComponent(id)}/results/${set}?${new URLSearchParams(given as [string, string][])}`;
}
