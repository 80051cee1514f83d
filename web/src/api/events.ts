/** Runs as they change: one stream for the whole page, whose news go into what is kept of runs. */
import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { ListRunsResponse, Run } from "./client";
import { standingsKey } from "./recipes";
import { latest, runKey, runsKey } from "./runs";

type Status = "connecting" | "live" | "lost";
let status: Status = "connecting";
const listeners = new Set<() => void>();

function become(next: Status) {
  status = next;
  for (const listener of listeners) listener();
}

/** Whether the page hears of changes as they happen. */
export function useStream(): Status {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => status,
  );
}

/** Until it is called: the function that it gives. */
export function follow(client: QueryClient): () => void {
  let source: EventSource | undefined;
  let last = "";
  const open = () => {
    source = new EventSource(last ? `/api/runs/events?after=${last}` : "/api/runs/events");
    source.onopen = () => become("live");
    // The browser comes back by itself, behind the last number that it got.
    source.onerror = () => become("lost");
    source.addEventListener("following", (event) => {
      last = event.lastEventId;
      void client.invalidateQueries({ queryKey: runsKey });
      void client.invalidateQueries({ queryKey: ["run"] });
      void client.invalidateQueries({ queryKey: standingsKey });
    });
    source.addEventListener("run", (event: MessageEvent<string>) => {
      last = event.lastEventId;
      learn(client, JSON.parse(event.data) as Run);
    });
  };
  // A browser has few connections to one place, and a stream in each of many tabs would take them all.
  const attend = () => {
    if (!document.hidden) return source ?? open();
    source?.close();
    source = undefined;
  };
  document.addEventListener("visibilitychange", attend);
  attend();
  return () => {
    document.removeEventListener("visibilitychange", attend);
    source?.close();
  };
}

/** Puts news of a run where it is kept; a list that does not have it is read again. */
export function learn(client: QueryClient, news: Run) {
  const before = client.getQueryData<Run>(runKey(news.run_id));
  client.setQueryData<Run>(runKey(news.run_id), (known) => latest(known, news));
  // On the way of a run nothing changes of how its recipe stands.
  if (news.recipe_id && (!before || before.ended !== news.ended))
    void client.invalidateQueries({ queryKey: standingsKey });
  for (const [key, list] of client.getQueriesData<ListRunsResponse>({ queryKey: runsKey })) {
    const recipe = key.at(-1);
    if (!list || (recipe !== "" && recipe !== news.recipe_id)) continue;
    const index = list.runs.findIndex((known) => known.run_id === news.run_id);
    if (index < 0) {
      void client.invalidateQueries({ queryKey: key, exact: true });
    } else {
      client.setQueryData(key, { ...list, runs: list.runs.with(index, latest(list.runs[index], news)) });
    }
  }
}
