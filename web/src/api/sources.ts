/** Where rows come from: registered sources and files that were brought. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  api,
  body,
  done,
  type Filter,
  type PreviewSourceResponse,
  type ReadOptions,
  type RegisteredSource,
  type TestConnectionResponse,
  type Upload,
} from "./client";

export const uploaded = (id: string) =>
  queryOptions({
    queryKey: ["upload", id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => body(api.GET("/api/uploads/{id}", { params: { path: { id } }, signal })),
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
function reading(known: ReadOptions | undefined, nulls: string[]): ReadOptions {
  const plain: ReadOptions = {
    format: "unspecified",
    encoding: "unspecified",
    nulls: [],
    trim: false,
    types: {},
  };
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
        const registered = async () =>
          (await body(api.GET("/api/sources/{alias}", { params, signal }))).options;
        // Where nothing is added, the gateway knows how it is read.
        const options = nulls.length > 0 ? reading(await registered(), nulls) : undefined;
        const asked = { params, body: scope(options), signal };
        const preview = await body(api.POST("/api/sources/{alias}/load-scoped", asked));
        return { name: alias, preview, ...(options && { options }) };
      }
      const options = nulls.length > 0 ? reading(undefined, nulls) : undefined;
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

export const forget = (alias: string): Promise<void> =>
  done(api.DELETE("/api/sources/{alias}", { params: { path: { alias } } }));
