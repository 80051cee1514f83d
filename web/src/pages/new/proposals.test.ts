import { expect, it } from "vitest";
import { propose } from "./proposals";

const column = (name: string, type: string) => ({ name, type, nullable: true });

const invoices = {
  columns: [
    column("invoice_id", "text"),
    column("amount", "decimal(18,2)"),
    column("currency", "text"),
    column("due_date", "date"),
  ],
  rows: Array.from({ length: 50 }, (_, n) => [
    `INV-${n}`,
    `${n * 7}.50`,
    n % 2 ? "EUR" : "USD",
    `2026-01-${(n % 28) + 1}`,
  ]),
};
const payments = {
  columns: [
    column("payment_id", "text"),
    column("reference", "text"),
    column("paid_amount", "decimal(18,2)"),
    column("currency", "text"),
  ],
  rows: Array.from({ length: 50 }, (_, n) => [`P-${n}`, `INV-${n + 10}`, `${n * 7}.50`, "EUR"]),
};

it("finds the key by its values, and the rest by name and value", () => {
  const found = propose(invoices, payments);
  expect(found[0]).toMatchObject({
    condition: { left: "invoice_id", right: "reference", kind: "equal" },
    key: true,
    evidence: "80 % of values on both sides",
  });
  const pairs = found.map(({ condition }) => `${condition.left}=${condition.right}`);
  expect(pairs).toEqual(["invoice_id=reference", "currency=currency", "amount=paid_amount"]);
  // Neither of these leads from one row to another.
  expect(found.slice(1).some(({ key }) => key)).toBe(false);
});

it("proposes nothing where nothing speaks for it", () => {
  const left = { columns: [column("a", "text")], rows: [["x"], ["y"]] };
  const right = { columns: [column("b", "text"), column("a", "integer")], rows: [["z", "1"]] };
  expect(propose(left, right)).toEqual([]);
  expect(propose({ columns: [], rows: [] }, right)).toEqual([]);
});

it("asks for days between dates, and for likeness of texts, that are seldom the same", () => {
  const left = {
    columns: [column("booking date", "date"), column("customer name", "text")],
    rows: [["2026-01-01", "Müller"]],
  };
  const right = {
    columns: [column("date", "date"), column("name", "text")],
    rows: [["2026-01-02", "Mueller"]],
  };
  expect(propose(left, right).map(({ condition }) => condition)).toEqual([
    { left: "booking date", right: "date", kind: "days", within: "3" },
    { left: "customer name", right: "name", kind: "similar", within: "0.9" },
  ]);
});
