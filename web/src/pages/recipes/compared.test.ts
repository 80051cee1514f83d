import { expect, it } from "vitest";
import { compared } from "./compared";

it("tells what is compared", () => {
  const columns = [
    { left: "*", right: "" },
    { left: "paid", right: "due", tolerance: "0.02", days: 3 },
  ];
  expect(compared({ columns, except: ["at"] })).toBe(
    "Of rows that match, all columns of one name, paid with due (within 0.02 or 3 days) are compared, but not at.",
  );
});
