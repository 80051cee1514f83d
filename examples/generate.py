#!/usr/bin/env python3
"""Writes invoices.csv and payments.csv beside itself, the same bytes every time, and prints what is hidden in them.

Everything is made up. Amounts are whole cents throughout, so no figure depends on floating point.
"""

import csv
import random
import unicodedata
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = 2026

# How many invoices (unless it says payments) meet which fate.
EXACT = 2220  # paid once, on the cent
TWICE = 40  # paid on the cent, and then again
CENTS = 40  # one or two cents off
FEE = 120  # a bank fee of 2.50 to 15.00 was kept back
SPLIT = 90  # paid in two or three parts
STATEMENTS = 25  # payments for all invoices of a monthly statement, 3 to 6 of them
TYPO = 60  # a digit of the reference is wrong
NO_REFERENCE = 40  # no reference at all, and the payer in capitals without accents
SHORT = 40  # more than a fee is missing: in dispute
OPEN = 230  # not paid
UNKNOWN = 75  # payments that belong to no invoice
LATE = 100  # of the exact ones: paid more than 30 days after they were due

CUSTOMERS = [
    "Müller & Söhne GmbH", "Zoë Böhm Architektur", "Café Olé, Inc.", "Łukasz Wójcik Transport", "Åse Lindqvist AB",
    "Société Générale de Pain", "José Peña e Hijos", "Acme, Ltd.", "O'Hara & Partners", "Nordlicht Energie AG",
    "Bäckerei Groß", "Smith, Jones and Daughters", "Kovačević d.o.o.", "Øresund Shipping A/S", "Ibérica de Papel, S.A.",
    "Green Valley Farms", "Pão de Açúcar Lda.", "Schröder Logistik", "Dvořák Instruments", "Hotel \"Zur Post\"",
    "Blue Harbour Fisheries", "Çelik Makina", "Fjord & Fjell AS", "Tŷ Bach Crafts", "Élan Vital Cosmétiques",
    "Straße 12 Medien", "Northern Tools, Inc.", "Garçon & Fils", "Ångström Optik", "Peking Garden",
    "Weiß Druckerei", "Rosé Wines, LLC", "Van der Berg Bloemen", "Naïve Records", "Mountain View Dental",
    "El Niño Surf", "Käse-Kontor", "Ruß & Ruß Kaminbau", "Señorita Fashion", "Bright Star Solar",
]
NOTES = [
    "", "", "", "", "", "thank you, see you soon", "Attn. accounts payable,\n2nd floor", "PO 00471, part 2",
    'the "large" parcel', "déjà vu: second delivery", "please quote the invoice number,\nnot the order",
]
CURRENCIES = ["EUR"] * 7 + ["USD"] * 2 + ["SEK"]


def cents(amount):
    return f"{amount // 100}.{amount % 100:02d}"


def plain(name):
    """A name as a bank prints it: capitals, no accents."""
    letters = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("Ø", "O").replace("ø", "o").replace("Ł", "L"))
    return "".join(c for c in letters if not unicodedata.combining(c)).upper()


class Book:
    def __init__(self, rng):
        self.rng = rng
        self.invoices, self.payments, self.late = [], [], 0
        self.amounts = set()

    def amount(self, low=2_000):
        """An amount that no other invoice has, nor has within a few cents: what is paired by amount is then no chance."""
        while True:
            amount = int(self.rng.lognormvariate(10.6, 1.1)) + low
            if amount // 10 not in self.amounts:
                self.amounts.update((amount // 10 - 1, amount // 10, amount // 10 + 1))
                return amount

    def invoice(self, amount, customer=None, statement=None, day=None):
        rng = self.rng
        customer = rng.randrange(len(CUSTOMERS)) if customer is None else customer
        day = day or date(2026, 1, 2) + timedelta(days=rng.randrange(170))
        invoice = {
            "invoice_id": None,
            "customer_no": f"{417 + 13 * customer:06d}",
            "customer": CUSTOMERS[customer],
            "invoice_date": day,
            "due_date": day + timedelta(days=rng.choice([14, 30])),
            "currency": "EUR" if statement else rng.choice(CURRENCIES),
            "amount": amount,
            "statement_no": statement or "",
            "note": rng.choice(NOTES),
        }
        self.invoices.append(invoice)
        return invoice

    def pay(self, invoice, amount, reference=None, payer=None, days=None):
        """Notes a payment; `reference` is made from the invoice once that has its number."""
        days = self.rng.randrange(2, 25) if days is None else days
        self.payments.append({
            "payment_id": None,
            "booked_on": invoice["invoice_date"] + timedelta(days=days),
            "payer": payer or invoice["customer"],
            "reference": reference or (lambda: invoice["invoice_id"]),
            "currency": invoice["currency"],
            "paid_amount": amount,
        })


def typo(rng, reference):
    """Two digits next to each other change places, or one is written twice, in the last five."""
    head, digits = reference[:-5], reference[-5:]
    swaps = [i for i in range(4) if digits[i] != digits[i + 1]]
    if swaps and rng.random() < 0.6:
        i = rng.choice(swaps)
        return head + digits[:i] + digits[i + 1] + digits[i] + digits[i + 2:]
    i = rng.randrange(5)
    return head + digits[:i] + digits[i] + digits[i:]


def fill(book):
    rng = book.rng
    for n in range(EXACT):
        invoice = book.invoice(book.amount())
        if n < LATE:
            late = (invoice["due_date"] - invoice["invoice_date"]).days + rng.randrange(31, 80)
            book.pay(invoice, invoice["amount"], days=late)
        else:
            book.pay(invoice, invoice["amount"])
    for _ in range(TWICE):
        invoice = book.invoice(book.amount())
        book.pay(invoice, invoice["amount"], days=rng.randrange(2, 12))
        book.pay(invoice, invoice["amount"], days=rng.randrange(13, 25))
    for n in range(CENTS):
        invoice = book.invoice(book.amount())
        book.pay(invoice, invoice["amount"] + [-2, -1, 1, 2][n % 4])
    for _ in range(FEE):
        invoice = book.invoice(book.amount(low=10_000))
        book.pay(invoice, invoice["amount"] - rng.randrange(250, 1501, 50))
    for n in range(SPLIT):
        invoice = book.invoice(book.amount(low=60_000))
        if n % 3 == 0:
            part = invoice["amount"] // 3
            parts = [part, part, invoice["amount"] - 2 * part]
        else:
            part = invoice["amount"] * rng.randrange(30, 61) // 100
            parts = [part, invoice["amount"] - part]
        for part in parts:
            book.pay(invoice, part)
    for n in range(STATEMENTS):
        customer, month = n % len(CUSTOMERS), 1 + n % 5
        number = f"ST-2026-{month:02d}-{n + 1:03d}"
        own = [
            book.invoice(book.amount(), customer, number, date(2026, month, rng.randrange(2, 26)))
            for _ in range(3 + n % 4)
        ]
        book.pay(own[-1], sum(i["amount"] for i in own), reference=lambda number=number: number, days=rng.randrange(10, 30))
    for _ in range(TYPO):
        invoice = book.invoice(book.amount())
        book.pay(invoice, invoice["amount"], reference=lambda invoice=invoice: typo(rng, invoice["invoice_id"]))
    for _ in range(NO_REFERENCE):
        invoice = book.invoice(book.amount())
        book.pay(invoice, invoice["amount"], reference=lambda: "", payer=plain(invoice["customer"]))
    for _ in range(SHORT):
        invoice = book.invoice(book.amount(low=30_000))
        book.pay(invoice, invoice["amount"] * rng.randrange(80, 91) // 100)
    for _ in range(OPEN):
        book.invoice(book.amount())
    for n in range(UNKNOWN):
        source = book.invoice(book.amount())
        book.invoices.pop()
        words = ["donation", "INV-2025-" + f"{rng.randrange(90_000):05d}", "deposit, returned", "interest 2026", ""]
        book.pay(source, source["amount"], reference=lambda n=n, words=words: words[n % 5])


def number(book):
    """Puts both books in order of date and numbers them; then the payments know what they refer to."""
    rng = book.rng
    rng.shuffle(book.invoices)
    book.invoices.sort(key=lambda i: i["invoice_date"])
    for n, invoice in enumerate(book.invoices):
        invoice["invoice_id"] = f"INV-2026-{n + 1:05d}"
    rng.shuffle(book.payments)
    book.payments.sort(key=lambda p: p["booked_on"])
    for n, payment in enumerate(book.payments):
        payment["payment_id"] = f"P{n + 1:06d}"
        payment["reference"] = payment["reference"]()


def write(name, rows, amount):
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow(cents(v) if k == amount else v for k, v in row.items())


def main():
    book = Book(random.Random(SEED))
    fill(book)
    number(book)
    write("invoices.csv", book.invoices, "amount")
    write("payments.csv", book.payments, "paid_amount")
    parts = sum(3 if n % 3 == 0 else 2 for n in range(SPLIT))
    gathered = sum(3 + n % 4 for n in range(STATEMENTS))
    table = [
        ("paid once, on the cent", EXACT, EXACT),
        ("paid on the cent, and then again", TWICE, 2 * TWICE),
        ("one or two cents off", CENTS, CENTS),
        ("a bank fee kept back", FEE, FEE),
        ("paid in two or three parts", SPLIT, parts),
        ("paid together, by statement", gathered, STATEMENTS),
        ("a typing error in the reference", TYPO, TYPO),
        ("no reference, payer in capitals", NO_REFERENCE, NO_REFERENCE),
        ("far too little paid", SHORT, SHORT),
        ("not paid", OPEN, 0),
        ("for no invoice", 0, UNKNOWN),
    ]
    print(f"| {'what happened':<34} | invoices | payments |\n|{'-' * 36}|---------:|---------:|")
    for what, invoices, payments in table:
        print(f"| {what:<34} | {invoices:>8,} | {payments:>8,} |")
    print(f"| {'all':<34} | {len(book.invoices):>8,} | {len(book.payments):>8,} |")


if __name__ == "__main__":
    main()
