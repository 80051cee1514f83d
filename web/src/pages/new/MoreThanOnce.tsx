/** Rows that stand in several matches: legitimate where one pays many, an error where each is meant to count once. */
import type { MultipleMatches } from "../../api/client";
import { count, plural } from "../../format/numbers";

export interface Multiple {
  multiple_left?: MultipleMatches;
  multiple_right?: MultipleMatches;
}

export function MoreThanOnce({ found, left, right }: { found: Multiple; left: string; right: string }) {
  const sides = [
    { name: left, multiple: found.multiple_left },
    { name: right, multiple: found.multiple_right },
  ];
  return sides.map(
    ({ name, multiple }) =>
      multiple && (
        <p key={name} className="mb-2 text-sm">
          {told(name, multiple)}
        </p>
      ),
  );
}

export function told(name: string, { rows, matches, most }: MultipleMatches): string {
  return rows === 1
    ? `1 row of ${name} matches more than once: it stands in ${count(matches)} matches.`
    : `${plural(rows, "row")} of ${name} match more than once: they stand in ${count(matches)} matches, one of them in ${count(most)}.`;
}
