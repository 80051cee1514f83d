/** From two files and their conditions to what the gateway is asked for. */
import type { CreateRunRequest, Recipe, RecipeSource, Upload } from "../../api/client";
import { type Condition, sql, words, wrong } from "./conditions";

/** What is looked at; it stands in the address. */
export interface Draft {
  /** Ids of uploads. */
  left?: string;
  right?: string;
  /** Absent: nobody has chosen yet. */
  conditions?: Condition[];
  /** Written by hand, in place of the conditions. */
  sql?: string;
}

export interface Names {
  left: string;
  right: string;
}

/** What two files are called in SQL: after their names, and different. */
export function aliases(left: Upload, right: Upload): Names {
  const [l, r] = [alias(left.name, "left_file"), alias(right.name, "right_file")];
  return l === r ? { left: `${l}_left`, right: `${r}_right` } : { left: l, right: r };
}

function alias(file: string, otherwise: string): string {
  const name = file.replace(/\.[^.]*(\.gz)?$/, "");
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, 60);
  if (!plain || plain === "left_src" || plain === "right_src") return otherwise;
  return /^[a-z]/.test(plain) ? plain : `t_${plain}`;
}

/** What a reconciliation of the two is called, until someone says otherwise. */
export function title(left: Upload, right: Upload): string {
  const names = aliases(left, right);
  const shown = (alias: string) => alias.replaceAll("_", " ");
  const text = `${shown(names.left)} against ${shown(names.right)}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** An id out of a name. */
export function slug(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 100);
  return plain || "recipe";
}

export interface Plan {
  recipe: Recipe;
  request: CreateRunRequest;
}

/** Nothing while something is missing. */
export function plan(draft: Draft, left: Upload, right: Upload, name: string): Plan | undefined {
  const chosen = draft.conditions ?? [];
  if (draft.sql === undefined && (chosen.length === 0 || chosen.some(wrong))) return undefined;
  const names = aliases(left, right);
  const recipe: Recipe = {
    recipe_id: slug(name),
    name,
    description: "",
    match_sql: draft.sql ?? sql(chosen),
    match_description: draft.sql === undefined ? words(chosen) : "",
    sources: { left: source(names.left), right: source(names.right), extras: [] },
  };
  const sources = {
    left: { upload_id: left.upload_id, filters: [] },
    right: { upload_id: right.upload_id, filters: [] },
  };
  return { recipe, request: { recipe_id: "", recipe_version: 0, recipe: { ...recipe, name: "" }, sources } };
}

/** A file that each run brings anew. */
function source(alias: string): RecipeSource {
  return { alias, type: "file", schema: [], primary_key: [], filters: [] };
}

/** The columns that later files have to have: those that are asked for. */
export function withColumns(recipe: Recipe, conditions: Condition[]): Recipe {
  const { left, right } = recipe.sources ?? {};
  if (!left || !right) return recipe;
  const of = (side: "left" | "right") => [...new Set(conditions.map((condition) => condition[side]))];
  return {
    ...recipe,
    sources: { extras: [], left: { ...left, schema: of("left") }, right: { ...right, schema: of("right") } },
  };
}
