/** Whether it works, in one word. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { WorkerStatus } from "../api/client";
import { useStream } from "../api/events";
import { system } from "../api/system";
import { plural } from "../format/numbers";

/** Whether the page hears of changes, and whether there is a worker. */
export function Health() {
  const stream = useStream();
  const { data } = useQuery(system());
  const problem = data?.worker_problem;
  const [colour, word, more] =
    stream === "lost"
      ? ["bg-error", "reconnecting", "The gateway cannot be reached. What is shown may be old."]
      : problem
        ? ["bg-error", "no worker", problem.message]
        : stream === "connecting"
          ? ["bg-quiet", "connecting", ""]
          : ["bg-matched", "live", data?.worker ? busy(data.worker) : ""];
  return (
    <Link
      to="/settings"
      title={more}
      className="flex items-center gap-2 rounded px-2 py-1 text-xs text-quiet hover:bg-raised"
    >
      <span aria-hidden className={`size-2 rounded-full ${colour}`} />
      <span aria-live="polite">{word}</span>
    </Link>
  );
}

export function busy({ running, waiting, concurrency }: WorkerStatus): string {
  return `The worker runs ${running} of at most ${plural(concurrency, "job")}; ${plural(waiting, "job")} wait.`;
}
