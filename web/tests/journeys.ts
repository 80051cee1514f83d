/** The months of a controller: a ledger and its bank, as they really differ. The same each time. */

/** Numbers from 0 to 1 by a seed. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const CUSTOMERS = [
  "PÉREZ HERMANOS",
  "Acme Ltd",
  "Nordwind GmbH",
  "Dupont & Fils",
  "Öresund AB",
  "Smith, Wong",
  "Zeta Oy",
];

export interface Month {
  ledger: string;
  bank: string;
  /** Rows of the ledger, and payments. */
  rows: [number, number];
  /** Invoices whose payments stand in the bank twice, both within what a recipe allows. */
  twice: number;
  /** Payments that a recipe finds: by reference but for case, five days, 2.90. */
  found: number;
}

const cents = (units: number) => `${Math.floor(units / 100)}.${String(units % 100).padStart(2, "0")}`;

/** Of `count` invoices nine in ten are paid, up to five days later and up to 2.90 less; some lose the case of their reference, some all of it. */
export function month(name = "2026-10", count = 2000, seed = 7): Month {
  const roll = dice(seed);
  const between = (low: number, high: number) => low + Math.floor(roll() * (high - low + 1));
  const number = name.slice(5);
  const ledger = ["posting_date,document_no,customer,account,amount,currency"];
  const bank = ["txn_id,value_date,remittance_ref,counterparty,credit,currency,narrative"];
  const date = (day: number) => new Date(Date.UTC(2026, Number(number) - 1, day)).toISOString().slice(0, 10);
  let [twice, found] = [0, 0];
  const pay = (day: number, reference: string, customer: string, amount: number, narrative: string) =>
    bank.push(
      `${10_900_000 + bank.length},${date(day)},${reference},"${customer}",${cents(amount)},EUR,${narrative}`,
    );
  for (let n = 1; n <= count; n++) {
    const [day, amount] = [between(1, 28), between(2_000, 1_990_000)];
    const customer = CUSTOMERS[between(0, CUSTOMERS.length - 1)] ?? "";
    const document = `INV-${number}-${10000 + n}`;
    ledger.push(`${date(day)},${document},"${customer}",1200,${cents(amount)},EUR`);
    if (roll() < 0.1) continue;
    const fee = roll() < 0.3 ? between(150, 290) : 0;
    const [kind, later] = [roll(), between(0, 5)];
    const reference = kind < 0.03 ? "" : kind < 0.18 ? document.toLowerCase() : document;
    pay(day + later, reference, customer, amount - fee, `WIRE IN ${document}`);
    if (reference) found += 1;
    if (reference && twice < 11 && n % 150 === 0) {
      pay(day + later, reference, customer, amount - fee, "WIRE IN AGAIN");
      twice += 1;
    }
  }
  // What has nothing to do with an invoice.
  for (let n = 0; n < 40; n++) pay(between(1, 28), "", "BANK", between(100, 5_000), "INTEREST AND CHARGES");
  return {
    ledger: `${ledger.join("\n")}\n`,
    bank: `${bank.join("\n")}\n`,
    rows: [ledger.length - 1, bank.length - 1],
    twice,
    found,
  };
}

/** How its rows match. */
export const MATCH = `SELECT l.document_no, r.txn_id, l.amount, r.credit, l.posting_date, r.value_date
FROM left_src AS l
JOIN right_src AS r
  ON normalize_key(l.document_no, 'case') = normalize_key(r.remittance_ref, 'case')
 AND tolerance_match(l.amount, r.credit, 2.90)
 AND date_within(l.posting_date, r.value_date, 5)`;
