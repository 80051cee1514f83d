import { expect, it } from "vitest";
import { shown } from "./cells";

it.each([
  ["1234567.50", "decimal(18,2)", false, "1,234,567.50"],
  ["1234.5", "float", false, "1,234.5"],
  // A number of an account, a book, a row.
  ["9786410420245", "integer", false, "9786410420245"],
  ["124500", "integer", true, "124,500"],
  ["1200", "text", true, "1200"],
])("%s as %s", (cell, type, amount, told) => expect(shown(cell, type, amount)).toBe(told));
