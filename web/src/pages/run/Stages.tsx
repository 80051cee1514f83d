/** A run that goes on: what is done, what is being done, and nothing that is not known. */
import { useQuery } from "@tanstack/react-query";
import type { Run } from "../../api/client";
import { system } from "../../api/system";
import { useNow } from "../../components/Time";
import { count, percent } from "../../format/numbers";
import { duration } from "../../format/times";

const STAGES = [
  { state: "staging", name: "Read both sides" },
  { state: "matching", name: "Match rows" },
  { state: "writing", name: "Write results" },
] as const;

export function Stages({ run }: { run: Run }) {
  const now = useNow(1000);
  const { data } = useQuery(system());
  const going = STAGES.findIndex((stage) => stage.state === run.state);
  return (
    <section aria-label="Progress" className="rounded-lg border border-line bg-surface p-5">
      <ol className="grid gap-3 md:grid-cols-3">
        {STAGES.map((stage, index) => {
          const share = index < going ? 1 : index === going ? run.progress?.progress : 0;
          return (
            <li key={stage.state} aria-current={index === going ? "step" : undefined}>
              <p className={`mb-1.5 flex justify-between text-sm ${index === going ? "" : "text-quiet"}`}>
                <span>{stage.name}</span>
                <span>
                  {index < going ? "done" : index === going && share !== undefined ? percent(share) : ""}
                </span>
              </p>
              <div className="h-2 overflow-hidden rounded bg-raised">
                <div
                  className={`h-full rounded bg-accent ${share === undefined ? "w-full animate-pulse" : ""}`}
                  style={share === undefined ? undefined : { width: `${share * 100}%` }}
                />
              </div>
            </li>
          );
        })}
      </ol>
      <p className="mt-3 text-sm text-quiet">
        {told(run, now)}
        {run.started && ` · since ${duration(now - Date.parse(run.started))}`}
        {data?.broker && run.worker && ` · at ${run.worker}`}
      </p>
    </section>
  );
}

function told(run: Run, now: number): string {
  const { progress } = run;
  if (run.state === "pending") {
    const seconds = run.next_attempt ? (Date.parse(run.next_attempt) - now) / 1000 : 0;
    return seconds > 0
      ? `It is tried again in ${duration(Math.ceil(seconds) * 1000)}.`
      : "It waits for its turn at a worker.";
  }
  if (run.state === "dispatched" || !progress) return "A worker has it and is about to begin.";
  if (run.state === "staging") {
    const rows = progress.source_rows === undefined ? "" : `, ${count(progress.source_rows)} rows so far`;
    return progress.source ? `Reading ${progress.source}${rows}` : "Reading";
  }
  if (run.state === "matching") {
    const against =
      progress.total_left === undefined || progress.total_right === undefined
        ? ""
        : ` of ${count(progress.total_left)} rows against ${count(progress.total_right)}`;
    return `Matching${against}${progress.matched_count ? `, ${count(progress.matched_count)} matches so far` : ""}`;
  }
  return "Writing what was found";
}
