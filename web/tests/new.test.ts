/** From two files to a saved recipe, as a newcomer does it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Recipe, Run } from "../src/api/client";
import { fine, launch, type Opened, open, violations } from "./browser";
import { Kalla } from "./kalla";

let browser: Browser;
let kalla: Kalla;
const files = ["invoices.csv", "payments.csv"] as const;

beforeAll(async () => {
  [browser, kalla] = await Promise.all([launch(), Kalla.start()]);
  writeFileSync(
    join(kalla.dir, "invoices.csv"),
    "invoice_id,amount,customer\nA-1,100.00,Müller\nA-2,200.00,Smith\nA-3,300.00,Wong\nA-4,400.00,Díaz\n",
  );
  writeFileSync(
    join(kalla.dir, "payments.csv"),
    "payment,reference,paid_amount\n1,A-1,100.00\n2,A-2,199.98\n3,A-3,310.00\n4,A-9,1.00\n",
  );
});

afterAll(async () => {
  await browser?.close();
  await kalla?.stop();
});

const path = (file: string) => join(kalla.dir, file);
const part = (page: Opened, name: string) => page.getByRole("region", { name, exact: true });

async function withFiles(link = "New reconciliation"): Promise<Opened> {
  const page = await open(browser, `${kalla.url}/`);
  await page.getByRole("link", { name: link }).click();
  await page.locator("input[type=file]").first().setInputFiles(files.map(path));
  await part(page, "What it gives").getByText("Tried on all rows.").waitFor();
  return page;
}

it("goes from two files to a run that is saved", async () => {
  const page = await withFiles("Drop two files");
  // The key is found, and its result is there before anything was asked.
  const agree = part(page, "What must agree");
  await agree.getByRole("combobox", { name: "How invoice_id and reference agree" }).waitFor();
  const gives = part(page, "What it gives");
  await gives.getByText("3 of 4 match (75.0%)").first().waitFor();

  await agree.getByRole("button", { name: "amount = paid_amount" }).click();
  await gives.getByText("1 of 4 match").first().waitFor();
  await agree.getByRole("combobox", { name: "How amount and paid_amount agree" }).selectOption("tolerance");
  await agree.getByRole("textbox", { name: /^How far amount/ }).fill("0.02");
  await gives.getByText("2 of 4 match").first().waitFor();
  await part(page, "The recipe").getByText("amount and paid_amount are at most 0.02 apart").waitFor();

  // All of it is in the address.
  await page.reload();
  await gives.getByText("2 of 4 match").first().waitFor();
  expect(await violations(page)).toEqual([]);

  await page.getByRole("textbox", { name: "Name" }).fill("Invoices and payments");
  await page.getByRole("button", { name: "Save and run" }).click();
  await page.waitForURL("**/runs/*");
  await page.getByText("invoices: 4 = 2 matched + 2 open").waitFor();
  const recipe = await kalla.get<Recipe>("/api/recipes/invoices-and-payments");
  expect(recipe.sources?.left).toMatchObject({
    alias: "invoices",
    type: "file",
    schema: ["invoice_id", "amount"],
  });
  expect(recipe.match_sql).toContain("tolerance_match(l.amount, r.paid_amount, 0.02)");
  const { runs } = await kalla.get<{ runs: Run[] }>("/api/runs");
  expect(runs[0]).toMatchObject({ recipe_id: "invoices-and-payments", recipe_version: 1 });

  // Back is where it was made; once more gives a recipe of its own.
  await page.goBack();
  await gives.getByText("2 of 4 match").first().waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("Invoices and payments");
  await page.getByRole("button", { name: "Save and run" }).click();
  await page.waitForURL("**/runs/*");
  await page.getByText("Recipe invoices-and-payments-2, version 1").waitFor();
  expect(page.complaints.filter((complaint) => !complaint.includes("412"))).toEqual([]);
  await page.context().close();
});

it("takes files that are dropped, and one more condition by hand", async () => {
  const page = await open(browser, `${kalla.url}/new`);
  const dropped = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["id,name\n1,Ann\n2,Ben\n"], "left.csv"));
    data.items.add(new File(["code,who\n1,Anne\n2,Ben\n"], "right.csv"));
    return data;
  });
  await page.locator("body").dispatchEvent("drop", { dataTransfer: dropped });
  const agree = part(page, "What must agree");
  const gives = part(page, "What it gives");
  await gives.getByText("2 of 2 match").first().waitFor();
  await agree.getByRole("combobox", { name: "Column of the left side" }).selectOption("name");
  await agree.getByRole("combobox", { name: "Column of the right side" }).selectOption("who");
  await agree.getByRole("button", { name: "Add" }).click();
  await gives.getByText("1 of 2 match").first().waitFor();
  await agree.getByRole("combobox", { name: "How name and who agree" }).selectOption("similar");
  await gives.getByText("2 of 2 match").first().waitFor();
  await agree.getByRole("textbox", { name: /^How far name/ }).fill("2");
  await agree.getByText("From 0 (not at all) to 1 (the same).").waitFor();
  await agree.getByRole("button", { name: "Ask nothing of name and who" }).click();
  await gives.getByText("2 of 2 match").first().waitFor();
  await fine(page);
});

it("forgives what keys may differ in", async () => {
  const page = await open(browser, `${kalla.url}/new`);
  const dropped = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["id,name\n1,Ann\n2,007\n"], "left.csv"));
    data.items.add(new File(["code,who\n1,ANN\n2,7x\n"], "right.csv"));
    return data;
  });
  await page.locator("body").dispatchEvent("drop", { dataTransfer: dropped });
  const agree = part(page, "What must agree");
  const gives = part(page, "What it gives");
  await gives.getByText("2 of 2 match").first().waitFor();
  await agree.getByRole("combobox", { name: "Column of the left side" }).selectOption("name");
  await agree.getByRole("combobox", { name: "Column of the right side" }).selectOption("who");
  await agree.getByRole("button", { name: "Add" }).click();
  await gives.getByText("0 of 2 match").first().waitFor();
  await agree.getByRole("combobox", { name: "How name and who agree" }).selectOption("key");
  await gives.getByText("1 of 2 match").first().waitFor();
  await agree.getByRole("button", { name: "case", exact: true }).click();
  await gives.getByText("0 of 2 match").first().waitFor();
  await agree.getByRole("button", { name: "outer blanks" }).click();
  await agree.getByText("Choose what may differ.").waitFor();
  await fine(page);
});

it("keeps both of two files that arrive in the same moment", async () => {
  const page = await open(browser, "about:blank");
  // Answers are held until there are two, and then told at once.
  await page.addInitScript(() => {
    const held: (() => void)[] = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
      const told = this.onload as () => void;
      this.onload = () => {
        held.push(told);
        if (held.length === 2) for (const one of held) one();
      };
      send.call(this, body);
    };
  });
  await page.goto(`${kalla.url}/new`);
  await page.locator("input[type=file]").first().setInputFiles(files.map(path));
  await part(page, "What it gives").getByText("Tried on all rows.").waitFor();
  await fine(page);
});

it("lets SQL be written by hand, says what is wrong with it, and goes back", async () => {
  const page = await withFiles();
  const recipe = part(page, "The recipe");
  const sql = recipe.getByRole("textbox", { name: "As SQL" });
  await sql.fill("SELECT l.invoice FROM left_src AS l JOIN right_src AS r ON l.invoice_id = r.reference");
  await page.getByRole("alert").getByText("invoice_id").first().waitFor();
  // At its place, too.
  expect(await recipe.locator(".cm-lintRange-error").textContent()).toBe("l.invoice");
  await part(page, "What must agree").getByRole("status").getByText("changed by hand").waitFor();
  await sql.fill(
    "SELECT l.invoice_id FROM left_src AS l JOIN right_src AS r ON upper(l.invoice_id) = r.reference",
  );
  await part(page, "What it gives").getByText("3 of 4 match").first().waitFor();
  await recipe.getByRole("button", { name: "Back to the conditions" }).click();
  await sql.getByText("l.invoice_id = r.reference").waitFor();
  expect(page.complaints.filter((complaint) => !complaint.includes("400"))).toEqual([]);
  await page.context().close();
});

it("says what is wrong with a file, and takes another in its place", async () => {
  writeFileSync(path("picture.png"), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0, 0xff, 0xfe, 0, 1]));
  const page = await open(browser, `${kalla.url}/new`);
  const left = part(page, "Left side");
  await left.locator("input[type=file]").setInputFiles(path("picture.png"));
  await left.getByRole("alert").waitFor();
  await left.locator("input[type=file]").setInputFiles(path("invoices.csv"));
  await left.getByRole("heading", { name: "invoices.csv" }).waitFor();
  await left.getByRole("button", { name: "Take invoices.csv away" }).click();
  await left.getByText("Drop a file").waitFor();
  await page.context().close();
});

it("takes a registered source for a side", async () => {
  await kalla.post("/api/sources", { alias: "bank", uri: "payments.csv" });
  const page = await open(browser, `${kalla.url}/new`);
  await page.locator("input[type=file]").first().setInputFiles(path("invoices.csv"));
  await page.getByRole("combobox", { name: "Take a source for the right side" }).selectOption("bank");
  await part(page, "What it gives").getByText("3 of 4 match (75.0%)").first().waitFor();
  await page.getByRole("button", { name: "Save and run" }).click();
  await page.waitForURL("**/runs/*");
  await page.getByText("bank: 4 = 3 matched + 1 open").waitFor();
  const recipe = await kalla.get<Recipe>("/api/recipes/invoices-against-bank");
  expect(recipe.sources?.right).toMatchObject({ alias: "bank", type: "unspecified", schema: [] });
  expect(recipe.sources?.right?.uri).toBeUndefined();
  await fine(page);
});

it("runs a recipe again, on other files", async () => {
  const recipe = {
    recipe_id: "again",
    name: "Again and again",
    match_sql: "SELECT l.invoice_id FROM left_src AS l JOIN right_src AS r ON l.invoice_id = r.reference",
    sources: {
      left: { alias: "invoices", type: "file", schema: ["invoice_id"] },
      right: { alias: "payments", type: "file", schema: ["reference"] },
    },
  };
  await kalla.post("/api/recipes", recipe);
  await kalla.post("/api/recipes", { ...recipe, match_sql: `${recipe.match_sql} -- by number` });
  const page = await open(browser, `${kalla.url}/recipes`);
  await page.getByRole("link", { name: "Again and again" }).click();
  await page.getByText("again, version 2").waitFor();
  const band = part(page, "Run it again");
  const run = band.getByRole("button", { name: "Run", exact: true });
  expect(await run.isDisabled()).toBe(true);
  await part(page, "Left side").locator("input[type=file]").setInputFiles(path("invoices.csv"));
  await band.getByRole("heading", { name: "invoices.csv" }).waitFor();
  // The wrong file: what is missing is told, with what comes near.
  await part(page, "Right side").locator("input[type=file]").setInputFiles(path("invoices.csv"));
  await band.getByRole("heading", { name: "invoices.csv" }).nth(1).waitFor();
  await run.click();
  await band.getByRole("alert").getByText("reference").first().waitFor();
  await part(page, "Right side").getByRole("button", { name: "Take invoices.csv away" }).click();
  await part(page, "Right side").locator("input[type=file]").setInputFiles(path("payments.csv"));
  await band.getByRole("heading", { name: "payments.csv" }).waitFor();
  await run.click();
  await page.waitForURL("**/runs/*");
  await page.getByText("invoices: 4 = 3 matched + 1 open").waitFor();
  await page.getByRole("link", { name: "again" }).click();
  await part(page, "Runs").getByRole("link", { name: "Again and again" }).waitFor();
  const versions = part(page, "Versions");
  await versions.getByText("SQL: 1 line more, 1 less").click();
  await versions.getByText("-- by number").waitFor();
  expect(page.complaints.filter((complaint) => !complaint.includes("400"))).toEqual([]);
  await page.context().close();
});

it("reads a value as none where someone says so, and keeps that in the recipe", async () => {
  writeFileSync(path("ledger.csv"), "number,total\nA-1,100.00\nA-2,N/A\nA-3,300.00\n");
  const page = await open(browser, `${kalla.url}/new`);
  await page.locator("input[type=file]").first().setInputFiles(["ledger.csv", "payments.csv"].map(path));
  const left = part(page, "Left side");
  await left.getByRole("button", { name: "Treat N/A as empty" }).click();
  await left.getByText("is read as empty").waitFor();
  await left.getByRole("columnheader", { name: "total decimal(18,2)" }).waitFor();
  await page.reload();
  await left.getByText("is read as empty").waitFor();
  await part(page, "What it gives")
    .getByText("2 of 3 match")
    .or(page.getByText("3 of 3 match"))
    .first()
    .waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("Ledger");
  await page.getByRole("button", { name: "Save and run" }).click();
  await page.waitForURL("**/runs/*");
  await page.getByText("ledger: 3 =").waitFor();
  const recipe = await kalla.get<Recipe>("/api/recipes/ledger");
  expect(recipe.sources?.left?.options?.nulls).toEqual(["N/A"]);
  await page.getByText("ledger.total: 400.00 =").waitFor();
  await fine(page);
});

it("proposes tables, columns and functions while SQL is written", async () => {
  const page = await withFiles();
  const sql = part(page, "The recipe").getByRole("textbox", { name: "As SQL" });
  await sql.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\n AND toler");
  await page.getByRole("option", { name: /tolerance_match/ }).waitFor();
  await page.keyboard.press("Escape");
  for (let n = 0; n < 5; n++) await page.keyboard.press("Backspace");
  await page.keyboard.type("l.");
  await page.getByRole("option", { name: "customer", exact: true }).waitFor();
  expect(page.complaints.filter((complaint) => !complaint.includes("400"))).toEqual([]);
  await page.context().close();
});

it("changes, copies, takes out, brings in and deletes a recipe", async () => {
  const words = "First by number.\nThen by amount.";
  await kalla.post("/api/recipes", {
    recipe_id: "monthly",
    name: "Monthly",
    match_description: words,
    match_sql: "SELECT l.invoice_id FROM left_src AS l JOIN right_src AS r ON l.invoice_id = r.reference",
    sources: { left: { alias: "i", uri: "invoices.csv" }, right: { alias: "p", uri: "payments.csv" } },
  });
  const recipe = () => kalla.get<Recipe>("/api/recipes/monthly");
  const page = await open(browser, `${kalla.url}/recipes/monthly`);
  await page.getByRole("button", { name: "Change", exact: true }).click();
  const sql = page.getByRole("textbox", { name: "How rows match, as SQL" });
  await sql.fill("SELECT l.invoise_id FROM left_src AS l JOIN right_src AS r ON l.invoice_id = r.reference");
  await page.getByRole("status").getByText("did you mean").waitFor();
  await sql.fill("SELECT l.invoice_id FROM left_src AS l JOIN right_src AS r ON r.reference = l.invoice_id");
  await page.getByRole("status").getByText("did you mean").waitFor({ state: "detached" });
  await page.getByRole("textbox", { name: "Name" }).fill("Every month");
  expect(await violations(page)).toEqual([]);

  // Somebody else was faster: nothing of theirs is lost.
  await kalla.post("/api/recipes", { ...(await recipe()), description: "theirs" });
  await page.getByRole("button", { name: "Save as version 2" }).click();
  await page.getByRole("alert").waitFor();
  expect(await recipe()).toMatchObject({ version: 2, description: "theirs", name: "Monthly" });
  await page.reload();
  await page.getByRole("textbox", { name: "Name" }).fill("Every month");
  await page.getByRole("button", { name: "Save as version 3" }).click();
  await page.getByRole("heading", { name: "Every month" }).waitFor();
  await part(page, "Versions").getByText("the name was “Monthly”").waitFor();
  // Lines of a text stay lines.
  expect(await recipe()).toMatchObject({ version: 3, description: "theirs", match_description: words });

  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Save the copy" }).click();
  await page.waitForURL("**/recipes/every-month-copy");

  await page.goto(`${kalla.url}/recipes/monthly`);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "YAML" }).click();
  const file = path("monthly.yaml");
  await (await download).saveAs(file);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Really delete it" }).click();
  await page.waitForURL("**/recipes");
  const bring = page.getByLabel("A recipe as YAML or JSON");
  await bring.setInputFiles(file);
  await page.waitForURL("**/recipes/monthly");
  expect(await recipe()).toMatchObject({ name: "Every month", match_description: words });

  // It is there by now.
  await page.goto(`${kalla.url}/recipes`);
  await bring.setInputFiles(file);
  await page.getByRole("button", { name: "Make this its next version" }).click();
  await page.waitForURL("**/recipes/monthly");
  await page.goto(`${kalla.url}/recipes`);
  writeFileSync(path("none.yaml"), "a: [1");
  await bring.setInputFiles(path("none.yaml"));
  await page.getByRole("alert").getByText("neither YAML nor JSON").waitFor();
  expect(page.complaints.filter((complaint) => !/40\d|412/.test(complaint))).toEqual([]);
  await page.context().close();
});

it("begins with the example, or with files that are dropped on the overview", async () => {
  const fresh = await Kalla.start();
  const page = await open(browser, `${fresh.url}/`);
  await page.getByRole("button", { name: "Try the example" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Try the example" }).click();
  await page.waitForURL("**/new**");
  await part(page, "What it gives").getByText("2,554 of 2,991 match").waitFor();
  await page.goto(`${fresh.url}/`);
  const dropped = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["id\n1\n"], "one.csv"));
    data.items.add(new File(["id\n1\n"], "other.csv"));
    return data;
  });
  await page.getByText("Nothing has been reconciled yet").waitFor();
  await page.locator("body").dispatchEvent("drop", { dataTransfer: dropped });
  await part(page, "What it gives").getByText("1 of 1 match").first().waitFor();
  await fine(page);
  await fresh.stop();
});

it("pairs columns that are clicked, one of each side", async () => {
  const page = await withFiles();
  const [left, right] = [part(page, "Left side"), part(page, "Right side")];
  await left.getByTitle("Part of condition 1").waitFor();
  const amount = left.getByRole("button", { name: "amount" });
  await amount.click();
  expect(await amount.getAttribute("aria-pressed")).toBe("true");
  expect(await violations(page)).toEqual([]);
  await right.getByRole("button", { name: "paid_amount" }).click();
  await part(page, "What it gives").getByText("1 of 4 match").first().waitFor();
  await right.getByTitle("Part of condition 2").waitFor();
  expect(await amount.getAttribute("aria-pressed")).toBe("false");
  await page.goBack();
  await part(page, "What it gives").getByText("3 of 4 match").first().waitFor();
  await fine(page);
});

it("says when a file does not arrive, and takes it again", async () => {
  const first = await Kalla.start();
  const big = path("big.csv");
  writeFileSync(big, `id\n${"1234567890\n".repeat(2_000_000)}`);
  const page = await open(browser, `${first.url}/new`);
  const slow = await page.context().newCDPSession(page);
  const speed = (bytes: number) =>
    slow.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: bytes,
    });
  await slow.send("Network.enable");
  await speed(1_000_000);
  const left = part(page, "Left side");
  await left.locator("input[type=file]").setInputFiles(big);
  await left.getByRole("progressbar", { name: "big.csv is on its way" }).waitFor();
  // Someone reloads in the middle: the place is free again.
  await page.reload();
  await left.getByText("Drop a file").waitFor();
  await left.locator("input[type=file]").setInputFiles(big);
  await left.getByRole("progressbar").waitFor();
  await left.getByRole("button", { name: "Stop" }).click();
  await left.getByText("Drop a file").waitFor();
  // The gateway goes away in the middle.
  await left.locator("input[type=file]").setInputFiles(big);
  await left.getByRole("progressbar").waitFor();
  await first.kill();
  await left.getByRole("alert").getByText("The gateway cannot be reached.").waitFor();
  const second = await Kalla.start({ port: first.port, dir: first.dir });
  await speed(-1);
  await left.locator("input[type=file]").setInputFiles(big);
  await left.getByRole("heading", { name: "big.csv" }).waitFor();
  await page.context().close();
  await second.stop();
});
