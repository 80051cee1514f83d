import { expect, it } from "vitest";
import { places } from "./places";

const TEXT = 'SELECT l.idd\nFROM l\nJOIN r ON "a b" = 1';

it.each([
  ["no column `l.idd` at line 1, column 8: was it `l.id`?", "l.idd"],
  ["`a b` at Line 3, Column 11", '"a b"'],
  // Behind the end of a line.
  ["something is missing at line 2, column 7", ""],
  ["it joins nothing", TEXT],
  ["at line 9, column 1", TEXT],
])("%s", (message, marked) => {
  const [place] = places(TEXT, [message]);
  expect(TEXT.slice(place?.from, place?.to)).toBe(marked);
  expect(place?.message).toBe(message);
});
