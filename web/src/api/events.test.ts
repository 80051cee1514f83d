import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import type { Run } from "./client";
import { learn } from "./events";
import { runKey, runsKey } from "./queries";

const run = (run_id: string, version: number, state: Run["state"]): Run => ({
  run_id,
  version,
  state,
  recipe_id: "",
  recipe_version: 0,
  name: run_id,
  attempt: 1,
  cancel_requested: false,
  sources: [],
  match_sql: "",
});

it("puts news of a run into the run and the lists that have it", () => {
  const client = new QueryClient();
  const [first, other] = [run("a", 2, "staging"), run("b", 1, "pending")];
  client.setQueryData([...runsKey, 100], { runs: [other, first] });
  learn(client, run("a", 3, "completed"));
  expect(client.getQueryData([...runsKey, 100])).toEqual({ runs: [other, run("a", 3, "completed")] });
  expect(client.getQueryData(runKey("a"))).toEqual(run("a", 3, "completed"));
});

it("leaves what is newer than the news", () => {
  const client = new QueryClient();
  client.setQueryData(runKey("a"), run("a", 5, "completed"));
  learn(client, run("a", 4, "writing"));
  expect(client.getQueryData(runKey("a"))).toEqual(run("a", 5, "completed"));
});

it("has a list read again that does not know the run", () => {
  const client = new QueryClient();
  const key = [...runsKey, 100];
  client.setQueryData(key, { runs: [run("b", 1, "pending")] });
  learn(client, run("a", 1, "pending"));
  expect(client.getQueryState(key)?.isInvalidated).toBe(true);
});
