import { expect, it } from "vitest";
import { type Condition, conditions, identifier, kinds, sql, words, wrong } from "./conditions";

const all: Condition[] = [
  { left: "invoice_id", right: "reference", kind: "equal" },
  { left: "amount", right: "amount", kind: "tolerance", within: "0.02" },
  { left: "amount", right: "Paid Amount", kind: "percent", within: "1" },
  { left: "due", right: "booked", kind: "days", within: "3" },
  { left: "customer", right: "payer", kind: "similar", within: "0.9" },
  { left: "iban", right: "account", kind: "key", within: "zeros,trim" },
];

it("writes the SQL that the command line writes", () => {
  expect(sql(all)).toBe(`SELECT
    l.invoice_id,
    r.reference,
    l.amount,
    r.amount AS amount_right,
    r."Paid Amount",
    l.due,
    r.booked,
    l.customer,
    r.payer,
    l.iban,
    r.account
FROM left_src AS l
JOIN right_src AS r
  ON l.invoice_id = r.reference
 AND tolerance_match(l.amount, r.amount, 0.02)
 AND tolerance_pct(l.amount, r."Paid Amount", 1)
 AND date_within(l.due, r.booked, 3)
 AND similarity(normalize_text(l.customer), normalize_text(r.payer)) >= 0.9
 AND normalize_key(l.iban, 'trim,zeros') = normalize_key(r.account, 'trim,zeros')
`);
});

it("gives no two columns one name", () => {
  const text = sql([
    { left: "id", right: "id", kind: "equal" },
    { left: "id_right", right: "x", kind: "equal" },
  ]);
  expect(text).toContain("r.id AS id_right,\n    l.id_right AS id_right_2,\n    r.x");
});

it.each([
  ["amount", "amount"],
  ["Amount", '"Amount"'],
  ["order", '"order"'],
  ['a "b"', '"a ""b"""'],
  ["2nd", '"2nd"'],
])("%s is quoted where it has to be", (name, quoted) => expect(identifier(name)).toBe(quoted));

it("says the same in words", () => {
  expect(words(all.slice(0, 2))).toBe(
    "Two rows match where invoice_id and reference are equal, and amount are at most 0.02 apart.",
  );
  expect(words(all.slice(5))).toBe(
    "Two rows match where iban and account are equal but for outer blanks, leading zeros.",
  );
  expect(words([])).toBe("");
});

it("asks of columns what their types allow", () => {
  expect(kinds("decimal(18,2)", "integer")).toEqual(["equal", "tolerance", "percent"]);
  expect(kinds("date", "timestamp")).toEqual(["equal", "days"]);
  expect(kinds("text", "text")).toEqual(["equal", "key", "similar"]);
  expect(kinds("text", "integer")).toEqual(["equal", "key"]);
  expect(kinds("text", "date")).toEqual(["equal"]);
});

it("tells what is no number", () => {
  const asked = (kind: Condition["kind"], within: string) => wrong({ left: "a", right: "b", kind, within });
  expect([asked("tolerance", "0.02"), asked("days", "3"), asked("similar", "1"), asked("equal", "")]).toEqual(
    [undefined, undefined, undefined, undefined],
  );
  for (const text of ["", "-1", "1e3", "0.02); DROP TABLE x", "1,5"])
    expect(asked("tolerance", text)).toBeDefined();
  expect(asked("days", "1.5")).toBeDefined();
  expect(asked("similar", "1.5")).toBeDefined();
  expect(asked("key", "case")).toBeUndefined();
  expect(asked("key", "x') = ('")).toBeDefined();
});

it("takes from an address what it knows", () => {
  expect(conditions(all)).toEqual(all);
  expect(conditions([{ left: "a", right: "b", kind: "days", within: 3 }])).toEqual([
    { left: "a", right: "b", kind: "days", within: "3" },
  ]);
  expect(conditions([null, 1, { left: "a" }, { left: "a", right: "b", kind: "none" }])).toEqual([]);
  expect(conditions("x")).toEqual([]);
});
