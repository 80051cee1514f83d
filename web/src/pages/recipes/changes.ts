/** What a version of a recipe changed, for people. */
import { diffLines } from "diff";
import type { Recipe, RecipeSource } from "../../api/client";

export interface DiffLine {
  kind: "kept" | "added" | "removed";
  text: string;
}

/** In words, without the SQL. */
export function changed(before: Recipe, after: Recipe): string[] {
  const words: string[] = [];
  if (before.name !== after.name) words.push(`the name was “${before.name}”`);
  if (before.description !== after.description) words.push("the description");
  if (before.match_description !== after.match_description) words.push("how it is told in words");
  for (const side of ["left", "right"] as const) {
    const parts = sourceChanges(before.sources?.[side], after.sources?.[side]);
    if (parts.length > 0) words.push(`${side} side: ${parts.join(", ")}`);
  }
  if (JSON.stringify(before.policy) !== JSON.stringify(after.policy))
    words.push("how its runs wait and are tried");
  if (JSON.stringify(before.compare) !== JSON.stringify(after.compare))
    words.push("which columns are compared");
  const extras = (recipe: Recipe) => JSON.stringify(recipe.sources?.extras ?? []);
  if (extras(before) !== extras(after)) words.push("other tables");
  return words;
}

const PARTS: [keyof RecipeSource, string][] = [
  ["alias", "name"],
  ["type", "kind"],
  ["uri", "address"],
  ["schema", "columns it has to have"],
  ["primary_key", "primary key"],
  ["filters", "filters"],
  ["options", "how it is read"],
];

function sourceChanges(before: RecipeSource | undefined, after: RecipeSource | undefined): string[] {
  const same = (part: keyof RecipeSource) => JSON.stringify(before?.[part]) === JSON.stringify(after?.[part]);
  return PARTS.filter(([part]) => !same(part)).map(([, word]) => word);
}

export function sqlLines(before: string, after: string): DiffLine[] {
  const ended = (text: string) => (text.endsWith("\n") ? text : `${text}\n`);
  return diffLines(ended(before), ended(after)).flatMap(({ added, removed, value }) =>
    value
      .replace(/\n$/, "")
      .split("\n")
      .map((text): DiffLine => ({ kind: added ? "added" : removed ? "removed" : "kept", text })),
  );
}
