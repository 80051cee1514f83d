import { expect, it } from "vitest";
import type { Upload } from "../../api/client";
import { aliases, plan, slug, withColumns } from "./plan";

const file = (name: string): Upload => ({ upload_id: name, name, bytes: 1, sha256: "", columns: [] });

it.each([
  ["Invoices March.csv", "payments.csv.gz", "invoices_march", "payments"],
  ["Übung.csv", "2026.parquet", "ubung", "t_2026"],
  ["same.csv", "same.csv", "same_left", "same_right"],
  ["....", "left_src.csv", "left_file", "right_file"],
])("%s and %s", (left, right, l, r) =>
  expect(aliases(file(left), file(right))).toEqual({ left: l, right: r }),
);

it("makes an id of a name", () => {
  expect([slug("Invoices against bank payments"), slug("  Löhne & Gehälter "), slug("***")]).toEqual([
    "invoices-against-bank-payments",
    "lohne-gehalter",
    "recipe",
  ]);
});

it("plans nothing before it knows what is to agree", () => {
  const [left, right] = [file("a.csv"), file("b.csv")];
  expect(plan({}, left, right, "A")).toBeUndefined();
  expect(plan({ conditions: [] }, left, right, "A")).toBeUndefined();
  expect(
    plan({ conditions: [{ left: "x", right: "y", kind: "tolerance", within: "a" }] }, left, right, "A"),
  ).toBeUndefined();
});

it("plans what was chosen, or what was written by hand", () => {
  const [left, right] = [file("a.csv"), file("b.csv")];
  const conditions = [{ left: "x", right: "y", kind: "equal" as const }];
  const chosen = plan({ conditions }, left, right, "A to B");
  expect(chosen?.recipe).toMatchObject({
    recipe_id: "a-to-b",
    match_description: "Two rows match where x and y are equal.",
  });
  expect(chosen?.request.sources).toMatchObject({
    left: { upload_id: "a.csv" },
    right: { upload_id: "b.csv" },
  });
  expect(plan({ conditions, sql: "SELECT 1" }, left, right, "A")?.recipe.match_sql).toBe("SELECT 1");
  expect(chosen && withColumns(chosen.recipe, conditions).sources).toMatchObject({
    left: { alias: "a", schema: ["x"] },
    right: { alias: "b", schema: ["y"] },
  });
});
