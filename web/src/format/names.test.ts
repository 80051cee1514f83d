import { expect, it } from "vitest";
import { alike, slug } from "./names";

it("compares names by their words", () => {
  expect(alike("invoice_id", "InvoiceId")).toBe(1);
  expect(alike("paid_amount", "amount")).toBe(0.5);
  expect(alike("due_date", "amount")).toBe(0);
  expect(alike("", "amount")).toBe(0);
});

it("makes an id of a name", () => {
  expect([slug("Invoices against bank payments"), slug("  Löhne & Gehälter "), slug("***")]).toEqual([
    "invoices-against-bank-payments",
    "lohne-gehalter",
    "recipe",
  ]);
});
