import { expect, it } from "vitest";
import { type Command, found } from "./commands";

const command = (name: string, hint = ""): Command => ({ name, hint, act: () => {} });
const all = [
  command("Overview", "page"),
  command("Invoices against payments", "recipe"),
  command("Pay day", "run"),
];
const names = (typed: string) => found(all, typed).map(({ name }) => name);

it("finds by every word, those that begin so first", () => {
  expect(names("")).toEqual(["Overview", "Invoices against payments", "Pay day"]);
  expect(names("pay")).toEqual(["Pay day", "Invoices against payments"]);
  expect(names("recipe INVOICES")).toEqual(["Invoices against payments"]);
  expect(names("nothing")).toEqual([]);
});
