import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import type { Run } from "./client";
import { learn } from "./events";
import { run as query, runKey, runsKey } from "./runs";

const run = (run_id: string, version: number, state: Run["state"]): Run => ({
  run_id,
  version,
  state,
  recipe_id: "",
  recipe_version: 0,
  name: run_id,
  attempt: 1,
  failures: 0,
  interruptions: 0,
  worker: "",
  priority: 0,
  cancel_requested: false,
  sources: [],
  match_sql: "",
});

it("puts news of a run into the run and the lists that have it", () => {
  const client = new QueryClient();
  const [first, other] = [run("a", 2, "staging"), run("b", 1, "pending")];
  client.setQueryData([...runsKey, ""], { runs: [other, first] });
  learn(client, run("a", 3, "completed"));
  expect(client.getQueryData([...runsKey, ""])).toEqual({ runs: [other, run("a", 3, "completed")] });
  expect(client.getQueryData(runKey("a"))).toEqual(run("a", 3, "completed"));
});

it("leaves the lists of other recipes alone", () => {
  const client = new QueryClient();
  const [own, other] = [
    [...runsKey, "r"],
    [...runsKey, "other"],
  ];
  for (const key of [own, other]) client.setQueryData(key, { runs: [] });
  learn(client, { ...run("a", 1, "pending"), recipe_id: "r" });
  expect([own, other].map((key) => client.getQueryState(key)?.isInvalidated)).toEqual([true, false]);
});

it("leaves what is newer than the news", () => {
  const client = new QueryClient();
  client.setQueryData(runKey("a"), run("a", 5, "completed"));
  learn(client, run("a", 4, "writing"));
  expect(client.getQueryData(runKey("a"))).toEqual(run("a", 5, "completed"));
});

it("has a list read again that does not know the run", () => {
  const client = new QueryClient();
  const key = [...runsKey, ""];
  client.setQueryData(key, { runs: [run("b", 1, "pending")] });
  learn(client, run("a", 1, "pending"));
  expect(client.getQueryState(key)?.isInvalidated).toBe(true);
});

it("keeps what an event told while the answer to an earlier question was on its way", async () => {
  const client = new QueryClient();
  let answer: (run: Run) => void = () => {};
  const stale = new Promise<Run>((resolve) => {
    answer = resolve;
  });
  const asked = client.fetchQuery({ ...query("a"), queryFn: () => stale });
  learn(client, run("a", 3, "completed"));
  answer(run("a", 1, "pending"));
  await asked;
  expect(client.getQueryData(runKey("a"))).toEqual(run("a", 3, "completed"));
});
