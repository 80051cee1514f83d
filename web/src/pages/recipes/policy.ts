/** How the runs of a recipe wait and are tried, for people. */
import type { Recipe } from "../../api/client";
import { count, plural } from "../../format/numbers";
import { duration } from "../../format/times";

export function policyWords(policy: NonNullable<Recipe["policy"]>): string {
  const { priority = 0, concurrency = 0, attempts = 0, pause_seconds = 0, retry_on = [] } = policy;
  const words = [
    priority !== 0 && `Its runs have priority ${count(priority)}.`,
    concurrency > 0 && `At most ${plural(concurrency, "run is", "runs are")} under way at the same time.`,
    attempts === 1 && "A run that fails is not tried again.",
    attempts > 1 && `A run fails with the failure number ${count(attempts)}.`,
    attempts !== 1 && pause_seconds > 0 && `The first new try comes after ${duration(pause_seconds * 1000)}.`,
    attempts !== 1 &&
      retry_on.length > 0 &&
      `It is tried again after ${retry_on.map((code) => code.replaceAll("_", " ")).join(" or ")}.`,
  ];
  return words.filter(Boolean).join(" ");
}
