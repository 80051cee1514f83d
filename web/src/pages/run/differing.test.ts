import { describe, expect, it } from "vitest";
import type { ColumnDifferences, Differences } from "../../api/client";
import { differsIn, ordered, shownWith } from "./differing";

const column = (left: string, different: number, missing_left = 0): ColumnDifferences => ({
  left,
  right: left,
  left_type: "text",
  right_type: "text",
  left_output: left,
  right_output: `right_${left}`,
  equal: 9,
  within: 0,
  different,
  missing_left,
  missing_right: 0,
  examples: [],
});

describe("compared columns", () => {
  it("begin with what differs most", () => {
    const columns = [column("a", 0), column("b", 1), column("c", 1, 2), column("d", 1)];
    expect(ordered(columns).map(({ left }) => left)).toEqual(["c", "b", "d", "a"]);
  });

  it("are shown beside the key", () => {
    const found = { key_columns: ["id"] } as Differences;
    expect(shownWith(found, column("b", 1))).toEqual(["id", "b", "right_b"]);
  });

  it("are known from the filters", () => {
    expect(differsIn([{ column: "_differs", op: "contains", value: "b" }])).toBe("b");
    expect(differsIn([{ column: "b", op: "contains", value: "b" }])).toBeUndefined();
  });
});
