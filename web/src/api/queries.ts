/** What pages ask for, and under which key it is kept. */
import { queryOptions } from "@tanstack/react-query";
import { api, body, type Run } from "./client";

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

export const runs = (limit = 100) =>
  queryOptions({
    queryKey: [...runsKey, limit],
    queryFn: async ({ signal }) => body(api.GET("/api/runs", { params: { query: { limit } }, signal })),
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: runKey(id),
    queryFn: async ({ signal }) => body(api.GET("/api/runs/{id}", { params: { path: { id } }, signal })),
  });

export const recipes = () =>
  queryOptions({
    queryKey: ["recipes"],
    queryFn: async ({ signal }) =>
      body(api.GET("/api/recipes", { params: { query: { limit: 1000 } }, signal })),
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

export const why = (id: string, side: Side, row: number) =>
  queryOptions({
    queryKey: ["why", id, side, row],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const path = { id, side, row: String(row) };
      return body(api.GET("/api/runs/{id}/why/{side}/{row}", { params: { path }, signal }));
    },
  });

export const cancel = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/cancel", { params: { path: { id } } }));

export const retry = (id: string): Promise<Run> =>
  body(api.POST("/api/runs/{id}/retry", { params: { path: { id } } }));

/** Where the same rows are as a file. */
export function file({ run: id, set, ...choice }: Selection, format: string): string {
  const given = Object.entries({ ...choice, format }).filter(([, value]) => value);
  return `/api/runs/${encodeURIComponent(id)}/results/${set}?${new URLSearchParams(given)}`;
}
