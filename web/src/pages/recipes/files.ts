/** Recipes as files: YAML goes out, YAML and JSON come in. */
import type { Recipe } from "../../api/client";

/** Without what a gateway adds to it. */
export async function toYaml({ version, created, updated, ...recipe }: Recipe): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(recipe, { lineWidth: 0 });
}

/** What it says is checked where it is saved; here only that it says something. */
export async function fromFile(text: string): Promise<Recipe> {
  const { parse } = await import("yaml");
  let read: unknown;
  try {
    read = parse(text);
  } catch (error) {
    throw new Error(`The file is neither YAML nor JSON: ${(error as Error).message}`);
  }
  if (typeof read !== "object" || read === null || !("recipe_id" in read)) {
    throw new Error("The file holds no recipe: it has no recipe_id.");
  }
  return read as Recipe;
}

/** Gives a file to whoever asked for it. */
export function save(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
