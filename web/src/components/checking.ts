/** What is wrong with the SQL of a request, and which tables it may read. */
import { useQuery } from "@tanstack/react-query";
import { type CheckJobResponse, type CreateRunRequest, Refused } from "../api/client";
import { checked } from "../api/recipes";
import { useSettled } from "../state/settled";

interface Checked {
  /** Sentences, most of them with a place. */
  wrong: string[];
  tables: Record<string, string[]>;
}

export function useChecked(request: CreateRunRequest, enabled = true): Checked {
  const { data, error } = useQuery({ ...checked(useSettled(request, 300)), enabled, retry: false });
  const violations = error instanceof Refused ? (error.problem?.violations ?? []) : [];
  const about = violations.filter(({ field }) => field.endsWith("match_sql"));
  return { wrong: about.map(({ message }) => message), tables: tables(data) };
}

/** By alias, and by what every recipe may call its sides. */
export function tables(checked: CheckJobResponse | undefined): Record<string, string[]> {
  const sides = ["left_src", "right_src"];
  return Object.fromEntries(
    (checked?.sources ?? []).flatMap(({ alias, columns }, index) => {
      const names = columns.map(({ name }) => name);
      return [alias, sides[index]].flatMap((table) => (table ? [[table, names]] : []));
    }),
  );
}
