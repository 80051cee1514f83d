import { describe, expect, it } from "vitest";
import { align, difference, type Field, numbers } from "./pairing";

const field = (name: string, type: string, cell: string | null): Field => ({
  column: { name, type, nullable: true },
  cell,
});

describe("columns beside each other", () => {
  it("go by name, and by what they hold", () => {
    const lines = align(
      [
        field("invoice_id", "text", "INV-7"),
        field("amount", "decimal(18,2)", "100.00"),
        field("due_date", "date", "2026-01-05"),
        field("vat", "decimal(18,2)", "19.00"),
      ],
      [
        field("payment_id", "text", "P-1"),
        field("reference", "text", "INV-7"),
        field("paid_amount", "decimal(18,2)", "99.98"),
        field("paid_on", "date", "2026-01-08"),
      ],
    );
    expect(lines.map(({ paired }) => paired)).toEqual([true, true, false, false]);
    const shown = lines.map(({ left, right, apart }) => [left?.column.name, right?.column.name, apart]);
    expect(shown).toEqual([
      ["invoice_id", "reference", undefined],
      ["amount", "paid_amount", "0.02"],
      ["due_date", "payment_id", undefined],
      ["vat", "paid_on", undefined],
    ]);
  });

  it("do not pair what is equal by chance", () => {
    const lines = align([field("quantity", "integer", "1")], [field("branch", "integer", "1")]);
    expect(lines.map(({ paired }) => paired)).toEqual([false]);
  });
});

it.each([
  ["decimal(18,2)", "10.0", "10.00", undefined],
  ["decimal(18,2)", "-5.00", "5.00", "10.00"],
  ["integer", "1000", "2500", "1,500"],
  ["date", "2026-01-05", "2026-01-08", "3 days"],
  ["date", "2026-01-05", "2026-01-04", "1 day"],
  ["timestamp", "2026-01-05T10:00:00", "2026-01-05T10:00:12", "12 s"],
  ["text", "ACME Ltd.", "acme ltd", "written differently"],
  ["text", "a", "b", "differs"],
  ["text", "a", null, "only on one side"],
  ["text", null, null, undefined],
])("%s %s and %s", (type, left, right, apart) => {
  expect(difference(field("x", type, left), field("x", type, right))).toBe(apart);
});

it("reads numbers of rows", () => {
  expect(numbers("7")).toEqual([7]);
  expect(numbers("[7, 12]")).toEqual([7, 12]);
  expect(numbers(null)).toEqual([]);
});
