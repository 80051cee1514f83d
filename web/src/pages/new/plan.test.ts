import { expect, it } from "vitest";
import type { SideRows } from "../../api/sources";
import { aliases, plan, withColumns } from "./plan";

const preview = { columns: [], rows: [] };
const file = (name: string): SideRows => ({
  name,
  preview,
  upload: { upload_id: name, name, bytes: 1, sha256: "", columns: [] },
});

it.each([
  ["Invoices March.csv", "payments.csv.gz", "invoices_march", "payments"],
  ["Übung.csv", "2026.parquet", "ubung", "t_2026"],
  ["same.csv", "same.csv", "same_left", "same_right"],
  ["....", "left_src.csv", "left_file", "right_file"],
])("%s and %s", (left, right, l, r) =>
  expect(aliases(file(left), file(right))).toEqual({ left: l, right: r }),
);

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

it("selects all columns where they are compared", () => {
  const conditions = [{ left: "x", right: "y", kind: "equal" as const }];
  const made = plan({ conditions, compare: true }, file("a.csv"), file("b.csv"), "A")?.recipe;
  expect(made).toMatchObject({ compare: "all" });
  expect(made?.match_sql).toContain("l.*,\n    r.*\nFROM");
});

it("leaves registered sources where they are", () => {
  const bank: SideRows = { name: "bank", preview };
  const conditions = [{ left: "x", right: "y", kind: "equal" as const }];
  const made = plan({ conditions }, file("Ledger 1.csv"), bank, "A");
  expect(made?.recipe.sources).toMatchObject({
    left: { alias: "ledger_1", type: "file" },
    right: { alias: "bank", type: "unspecified" },
  });
  expect(Object.keys(made?.request.sources ?? {})).toEqual(["left"]);
  expect(aliases(file("bank.csv"), bank)).toEqual({ left: "bank_left", right: "bank" });
});
