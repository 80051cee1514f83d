import { expect, it } from "vitest";
import type { Recipe } from "../../api/client";
import { changed, sqlLines } from "./changes";

const recipe = (change: Partial<Recipe> = {}): Recipe => ({
  recipe_id: "r",
  name: "R",
  description: "",
  match_sql: "",
  match_description: "",
  sources: {
    left: { alias: "l", type: "file", schema: [], primary_key: [], filters: [] },
    right: { alias: "r", type: "unspecified", uri: "a.csv", schema: [], primary_key: [], filters: [] },
    extras: [],
  },
  ...change,
});

it("tells what is different", () => {
  expect(changed(recipe(), recipe())).toEqual([]);
  expect(changed(recipe(), recipe({ compare: "all" }))).toEqual(["which columns are compared"]);
  const policy = { priority: 1, concurrency: 0, attempts: 0, pause_seconds: 0, retry_on: [] };
  expect(changed(recipe(), recipe({ policy }))).toEqual(["how its runs wait and are tried"]);
  const other = recipe({ name: "S", description: "d" });
  if (other.sources?.right) Object.assign(other.sources.right, { uri: "b.csv", primary_key: ["id"] });
  expect(changed(recipe(), other)).toEqual([
    "the name was “R”",
    "the description",
    "right side: address, primary key",
  ]);
});

it("shows SQL line by line", () => {
  const lines = sqlLines("SELECT a\nFROM l\n", "SELECT a, b\nFROM l");
  expect(lines.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    "removed SELECT a",
    "added SELECT a, b",
    "kept FROM l",
  ]);
});
