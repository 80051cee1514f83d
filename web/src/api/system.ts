/** The gateway itself. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "./client";

/** What the gateway is made of, and whether it works. */
export const system = () =>
  queryOptions({
    queryKey: ["system"],
    refetchInterval: 15_000,
    queryFn: async ({ signal }) => body(api.GET("/api/system", { signal })),
  });
