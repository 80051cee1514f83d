/** What is wrong with the SQL of a recipe, and which tables it may read. */
import { type Column, Refused } from "../api/client";

/** Sentences, most of them with a place. */
export function wrongSql(error: Error | null): string[] {
  const violations = error instanceof Refused ? (error.problem?.violations ?? []) : [];
  return violations.filter(({ field }) => field.endsWith("match_sql")).map(({ message }) => message);
}

/** Columns by table: by alias, and by what every recipe may call its sides. `sources`: left, right, then the extras. */
export function tables(sources: { alias: string; columns: Column[] }[]): Record<string, string[]> {
  const sides = ["left_src", "right_src"];
  return Object.fromEntries(
    sources.flatMap(({ alias, columns }, index) => {
      const names = columns.map(({ name }) => name);
      return [alias, sides[index]].flatMap((table) => (table ? [[table, names]] : []));
    }),
  );
}
