/** What becomes of a run, as a mark and a word: colours never carry meaning alone. */
import { CircleAlert, CircleCheck, CircleSlash, Clock, LoaderCircle } from "lucide-react";
import type { RunState } from "../api/client";

export function ended(state: RunState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

const WORDS: Record<RunState, string> = {
  unspecified: "unknown",
  pending: "waiting",
  dispatched: "at the worker",
  staging: "reading",
  matching: "matching",
  writing: "writing",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};

export function State({ state }: { state: RunState }) {
  const [Mark, colour] =
    state === "completed"
      ? [CircleCheck, "text-matched"]
      : state === "failed"
        ? [CircleAlert, "text-error"]
        : state === "cancelled"
          ? [CircleSlash, "text-quiet"]
          : state === "pending"
            ? [Clock, "text-quiet"]
            : [LoaderCircle, "text-accent"];
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${colour}`}>
      <Mark aria-hidden className={`size-4 ${Mark === LoaderCircle ? "animate-spin" : ""}`} />
      {WORDS[state]}
    </span>
  );
}
