/** From two files and their conditions to what the gateway is asked for. */
import type { CreateRunRequest, Recipe, RecipeSource, SourceOverride } from "../../api/client";
import type { SideRows } from "../../api/sources";
import { slug } from "../../format/names";
import { type Condition, sql, words, wrong } from "./conditions";

/** What is looked at; it stands in the address. */
export interface Draft {
  /** Ids of uploads, or names of registered sources. */
  left?: string;
  right?: string;
  /** What stands for no value in a side, beside nothing. */
  nulls?: Partial<Record<"left" | "right", string[]>>;
  /** Absent: nobody has chosen yet. */
  conditions?: Condition[];
  /** Whether the other columns of rows that match are compared. */
  compare?: boolean;
  /** Written by hand, in place of the conditions. */
  sql?: string;
}

export interface Names {
  left: string;
  right: string;
}

/** What the two are called in SQL: sources by their names, files after theirs, and differently. */
export function aliases(left: SideRows, right: SideRows): Names {
  const [l, r] = [called(left, "left_file"), called(right, "right_file")];
  if (l !== r) return { left: l, right: r };
  return { left: left.upload ? `${l}_left` : l, right: right.upload ? `${r}_right` : r };
}

function called(side: SideRows, otherwise: string): string {
  return side.upload ? alias(side.name, otherwise) : side.name;
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
export function title(left: SideRows, right: SideRows): string {
  const names = aliases(left, right);
  const shown = (alias: string) => alias.replaceAll("_", " ");
  const text = `${shown(names.left)} against ${shown(names.right)}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Milliseconds without a change after which it is tried. */
export const SETTLED = 300;

export interface Plan {
  recipe: Recipe;
  request: CreateRunRequest;
}

/** Nothing while something is missing. */
export function plan(draft: Draft, left: SideRows, right: SideRows, name: string): Plan | undefined {
  const chosen = draft.conditions ?? [];
  if (draft.sql === undefined && (chosen.length === 0 || chosen.some(wrong))) return undefined;
  const names = aliases(left, right);
  const recipe: Recipe = {
    recipe_id: slug(name),
    name,
    description: "",
    match_sql: draft.sql ?? sql(chosen, draft.compare),
    match_description: draft.sql === undefined ? words(chosen) : "",
    sources: { left: source(names.left, left), right: source(names.right, right), extras: [] },
    ...(draft.compare && { compare: "all" }),
  };
  const sources = brought({ left, right });
  return { recipe, request: { recipe_id: "", recipe_version: 0, recipe: { ...recipe, name: "" }, sources } };
}

/** A file that each run brings anew, or the registered source of this name. */
function source(alias: string, { upload, options }: SideRows): RecipeSource {
  const type = upload ? "file" : "unspecified";
  return { alias, type, schema: [], primary_key: [], filters: [], ...(options && { options }) };
}

/** What this run brings. */
function brought(sides: Record<string, SideRows>): Record<string, SourceOverride> {
  const given: Record<string, SourceOverride> = {};
  for (const [side, { upload }] of Object.entries(sides)) {
    if (upload) given[side] = { upload_id: upload.upload_id, filters: [] };
  }
  return given;
}

/** The columns that later files have to have: those that are asked for. */
export function withColumns(recipe: Recipe, conditions: Condition[]): Recipe {
  const { left, right } = recipe.sources ?? {};
  if (!left || !right) return recipe;
  const schema = (source: RecipeSource, side: "left" | "right") =>
    source.type === "file" ? [...new Set(conditions.map((condition) => condition[side]))] : [];
  return {
    ...recipe,
    sources: {
      extras: [],
      left: { ...left, schema: schema(left, "left") },
      right: { ...right, schema: schema(right, "right") },
    },
  };
}
