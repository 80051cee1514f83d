/** The page in a real browser against the real product, with its example. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest, Run } from "../src/api/client";
import { fine, launch, open, violations } from "./browser";
import { Kalla } from "./kalla";

let browser: Browser;
let kalla: Kalla;
let run: Run;

beforeAll(async () => {
  [browser, kalla] = await Promise.all([launch(), Kalla.start({ demo: true })]);
  run = (await kalla.get<{ runs: [Run] }>("/api/runs")).runs[0];
});

afterAll(async () => {
  await browser?.close();
  await kalla?.stop();
});

const at = (path: string) => kalla.url + path;
const grid = "[role=grid]";
const cell = (row: number, column: number) => `#row-${row} [role=gridcell] >> nth=${column}`;

/** A recipe of two files in the directory of the product. */
function pair(left: string, right: string, match_sql: string, name = "Two files", more: object = {}) {
  const source = (alias: string, uri: string) => ({ alias, uri, type: "file" });
  return {
    recipe: {
      recipe_id: "",
      name,
      match_sql,
      sources: { left: source("l", left), right: source("r", right) },
      ...more,
    },
  } as never;
}

const ENDLESS = "SELECT l.id FROM l JOIN r ON l.n * r.n - l.n > 9000000000000";

function numbers(file: string, count: number) {
  const rows = Array.from({ length: count }, (_, n) => `${n},${n}\n`).join("");
  writeFileSync(join(kalla.dir, file), `id,n\n${rows}`);
}

describe("overview", () => {
  it("shows recipes, what they found, and the latest runs", async () => {
    const page = await open(browser, at("/"));
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const recipes = page.getByRole("region", { name: "Recipes" });
    await recipes.getByTitle("open in invoices").getByText("270").waitFor();
    await recipes.getByTitle("open in payments").getByText("145,712.40 EUR +2").waitFor();
    expect(await recipes.getByRole("img").getAttribute("aria-label")).toBe(
      "invoices: 2,721 of 2,991 matched, 270 open; payments: 2,755 of 2,910 matched, 155 open",
    );
    await page.getByRole("region", { name: "Latest runs" }).getByRole("link", { name: run.name }).click();
    await page.waitForURL(`**/runs/${run.run_id}`);
    await fine(page);
  });
});

describe("a run", () => {
  it("adds up, and each part of the picture leads to its rows", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}`));
    await page.getByText("invoices: 2,991 = 2,721 matched + 270 open").waitFor();
    await page.getByText("payments: 2,910 = 2,755 matched + 155 open").waitFor();
    for (const [part, tab, rows] of [
      ["payments: 155 open", "unmatched_right", "155 rows"],
      ["invoices: 270 open", "unmatched_left", "270 rows"],
      ["invoices: 2,721 matched", "matched", "2,635 rows"],
    ] as const) {
      await page.getByRole("link", { name: part }).click();
      await page.waitForURL(`**?tab=${tab}`);
      await page.getByText(rows).waitFor();
    }
    await page.goBack();
    await page.getByText("270 rows").waitFor();
    await page.goForward();
    await page.getByText("2,635 rows").waitFor();
    await fine(page);
  });

  it("shows compared columns, and by a click the rows that differ in one, side by side", async () => {
    writeFileSync(join(kalla.dir, "old.csv"), "id,name,amount\n1,Ann,5.00\n2,Bo,6.00\n3,Cy,7.00\n");
    writeFileSync(join(kalla.dir, "new.csv"), "id,name,amount\n1,Ann,5.50\n2,Bob,6.25\n3,Cy,7.00\n");
    const sql = "SELECT l.*, r.* FROM l JOIN r ON l.id = r.id";
    const made = await kalla.run(pair("old.csv", "new.csv", sql, "Exports", { compare: "all" }));
    const compared = await kalla.ended(made);
    const page = await open(browser, at(`/runs/${compared.run_id}?tab=matched`));
    const columns = page.getByRole("region", { name: "Compared columns" });
    await columns.getByText("2 matches of 3 (66.6%) with values that differ.").waitFor();
    await columns.getByText("0.50").waitFor();
    await columns.getByRole("button", { name: "name" }).click();
    await page.getByText("1 row ·").waitFor();
    const heads = page.locator(grid).getByRole("columnheader");
    expect(await heads.allTextContents()).toEqual(["id", "name", "right_name"]);
    await page.locator(cell(0, 2)).getByText("Bob").waitFor();
    await columns.getByRole("button", { name: "name" }).click();
    await page.getByText("3 rows ·").waitFor();
    await fine(page);
  });

  it("is looked at where the machine has no network: the gateway may be on it", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}`));
    await page.getByText("270 rows").waitFor();
    await page.evaluate(() => dispatchEvent(new Event("offline")));
    await page.getByRole("link", { name: /^payments: 155 open/ }).click();
    await page.getByText("155 rows").waitFor();
    await fine(page);
  });

  it("sorts, searches and exports what is found", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_left`));
    const amount = page.getByRole("columnheader", { name: "amount" });
    await amount.getByRole("button").click();
    await page.waitForURL("**order=amount");
    await amount.getByRole("button").click();
    await page.waitForURL("**order=amount%3Adesc");
    expect(await amount.getAttribute("aria-sort")).toBe("descending");
    const top = await kalla.get<{ rows: string[][] }>(
      `/api/runs/${run.run_id}/results/unmatched_left?order=amount:desc&limit=1&columns=invoice_id`,
    );
    await page
      .locator(cell(0, 0))
      .getByText(top.rows[0]?.[0] ?? "")
      .waitFor();

    await page.keyboard.press("/");
    await page.keyboard.type("dental");
    await page.waitForURL("**q=dental**");
    const found = await kalla.get<{ total: number }>(
      `/api/runs/${run.run_id}/results/unmatched_left?q=dental&limit=1`,
    );
    expect(found.total).toBeGreaterThan(0);
    await page.getByText(`${found.total} rows`).waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "CSV" }).click();
    const stream = await (await download).createReadStream();
    const csv = await text(stream);
    // A note may go over several lines.
    expect(csv.match(/^INV-/gm)).toHaveLength(found.total);

    await page.getByRole("searchbox").fill("nothing like this");
    await page.getByRole("heading", { name: "Nothing is found" }).waitFor();
    await fine(page);
  });

  it("shows the rows that pass filters, and exports those", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_left`));
    await page.getByText("270 rows").waitFor();
    const add = async (column: string, what: string, value?: string) => {
      await page.getByRole("button", { name: "Filter" }).click();
      const form = page.getByRole("form", { name: "Filter" });
      await form.getByRole("combobox", { name: "Column" }).selectOption(column);
      await form.getByRole("combobox", { name: "What it is" }).selectOption({ label: what });
      if (value) await form.getByRole("textbox", { name: "Value" }).fill(value);
      await form.getByRole("button", { name: "Apply" }).click();
    };
    await add("amount", "at least", "1000.00");
    await page.getByText("115 rows").waitFor();
    await add("note", "has no value");
    const filter = JSON.stringify([
      { column: "amount", op: "gte", value: 1000 },
      { column: "note", op: "is_null", value: true },
    ]);
    const path = `/api/runs/${run.run_id}/results/unmatched_left?limit=1&filter=${encodeURIComponent(filter)}`;
    const { total } = await kalla.get<{ total: number }>(path);
    await page.getByText(`${total} rows`).waitFor();
    expect(await page.getByRole("link", { name: "XLSX" }).getAttribute("href")).toContain("is_null");
    await page.reload();
    await page.getByText(`${total} rows`).waitFor();
    await page.getByRole("button", { name: "Take away: note has no value" }).click();
    await page.getByText("115 rows").waitFor();
    await page.goBack();
    await page.getByText(`${total} rows`).waitFor();
    await add("amount", "at least", "a lot");
    await page.getByRole("alert").getByText("amount").first().waitFor();
    expect(page.complaints.filter((complaint) => !complaint.includes("400"))).toEqual([]);
    await page.context().close();
  });

  it("opens a row and says why it matches nothing, by mouse, by keys and by its address", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_right`));
    await page.locator("#row-0").click();
    const drawer = page.getByRole("dialog");
    await drawer.getByText("meets every condition of").waitFor();
    await drawer.getByRole("img", { name: "fails" }).first().waitFor();
    await page.waitForURL("**row=0");
    await page.locator(grid).focus();
    await page.keyboard.press("j");
    await page.waitForURL("**row=1");
    await page.reload();
    const number = await page.locator(cell(1, 0)).textContent();
    await drawer.getByText(number ?? "").waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    await page.locator(grid).focus();
    for (const key of ["Home", "j", "j", "k", "Enter"]) await page.keyboard.press(key);
    await page.waitForURL("**row=1");
    await drawer.waitFor();
    await fine(page);
  });

  it("adds up in amounts, to the cent", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}`));
    // Each currency by itself, the largest first.
    const sums = "invoices.amount EUR: 2,186,753.70 = 1,911,493.31 matched + 275,260.39 open";
    await page.getByText(sums).waitFor();
    await page.getByText("matched on both sides: 1,911,493.31 − 675.48 = 1,910,817.83").waitFor();
    await page.getByRole("combobox", { name: "Currency" }).selectOption("USD");
    await page.getByText(/^matched on both sides: .* − 213\.51 = /).waitFor();
    await page.getByRole("link", { name: "payments: 155 open" }).click();
    await page.getByText("155 rows").waitFor();
    await page.reload();
    await page.getByText(/^matched on both sides: .* − 213\.51 = /).waitFor();
    await page.getByText("payments: 2,910 = 2,755 matched + 155 open").waitFor();
    await fine(page);
  });

  it("shows the rows behind a match, and by how much they differ", async () => {
    const matched = (filter: object[]) =>
      at(`/runs/${run.run_id}?tab=matched&row=0&filters=${encodeURIComponent(JSON.stringify(filter))}`);
    const page = await open(browser, matched([{ column: "pass", op: "eq", value: "cents" }]));
    const rows = page.getByRole("region", { name: "Rows that match" });
    const amount = rows.getByRole("row", { name: /paid_amount/ });
    await amount.getByText(/^0\.0[12]$/).waitFor();
    await rows
      .getByRole("row", { name: /reference/ })
      .getByRole("img", { name: "equal" })
      .waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goto(matched([{ column: "pass", op: "eq", value: "split" }]));
    await rows.getByRole("heading", { name: "1 row of invoices" }).waitFor();
    await rows.getByRole("heading", { name: /[2-9] rows of payments/ }).waitFor();
    await fine(page);
  });

  it("says so quietly where the rows of a run are no longer kept", async () => {
    writeFileSync(join(kalla.dir, "three.csv"), "id\n1\n2\n3\n");
    writeFileSync(join(kalla.dir, "two.csv"), "id\n1\n2\n");
    const sql = "SELECT l.id FROM l JOIN r ON l.id = r.id";
    const old = await kalla.ended(await kalla.run(pair("three.csv", "two.csv", sql)));
    const results = join(kalla.dir, "kalla-data", "staging", "results", old.run_id);
    rmSync(join(results, "staged"), { recursive: true });
    const page = await open(browser, at(`/runs/${old.run_id}?tab=matched&row=0`));
    const drawer = page.getByRole("dialog");
    await drawer.getByText("are no longer kept: run the job again").waitFor();
    // What the match gave is there all the same.
    await drawer.getByRole("definition").first().getByText("1").waitFor();
    await page.goto(at(`/runs/${old.run_id}?tab=unmatched_left&row=0`));
    await drawer.getByText("are no longer kept: run the job again").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });

  it("keeps columns in sight, leaves others out, and exports what is left", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_left`));
    await page.getByRole("button", { name: "Columns" }).click();
    const menu = page.getByRole("dialog", { name: "Columns" });
    await menu.getByRole("checkbox", { name: "note" }).click();
    await menu.getByRole("button", { name: "Keep amount in sight" }).click();
    await menu.getByRole("checkbox", { name: "Compact rows" }).click();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.reload();
    const heads = page.getByRole("columnheader");
    await heads.first().getByText("amount").waitFor();
    expect((await heads.allTextContents()).join()).not.toContain("note");
    expect((await page.locator("#row-0").boundingBox())?.height).toBe(26);
    const href = await page.getByRole("link", { name: "CSV" }).getAttribute("href");
    const csv = await (await fetch(at(href ?? ""))).text();
    expect(csv.split("\n")[0]).not.toContain("note");
    expect(csv.split("\n")[0]).toContain("amount");
    await page.getByRole("button", { name: "Columns" }).click();
    await menu.getByRole("button", { name: "All of them, as they were" }).click();
    await page.getByRole("columnheader", { name: "note" }).waitFor();
    await fine(page);
  });

  it("says what is in the columns, of the rows that are looked at", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_left`));
    await page.getByRole("button", { name: "Columns" }).click();
    await page.getByRole("checkbox", { name: "What is in the columns" }).click();
    await page.keyboard.press("Escape");
    const currency = page.getByRole("columnheader", { name: "currency" });
    await currency.getByText("EUR 74.8%").waitFor();
    await page.getByRole("img", { name: "statement_no: 0 different, 100% without a value" }).waitFor();
    await page.getByRole("searchbox").fill("dental");
    await currency.getByText("EUR 74.8%").waitFor({ state: "detached" });
    await currency.getByText(/(EUR|USD|SEK) \d/).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.locator(grid).focus();
    await page.keyboard.press("End");
    await fine(page);
  });

  it("draws only the columns that are in sight of very many", async () => {
    const names = Array.from({ length: 120 }, (_, n) => `column_${n}`);
    writeFileSync(join(kalla.dir, "wide.csv"), `${names.join()}\n${names.map((_, n) => n).join()}\n`);
    writeFileSync(join(kalla.dir, "none.csv"), "column_0\n-1\n");
    const sql = "SELECT l.column_0 FROM l JOIN r ON l.column_0 = r.column_0";
    const wide = await kalla.ended(await kalla.run(pair("wide.csv", "none.csv", sql)));
    const page = await open(browser, at(`/runs/${wide.run_id}?tab=unmatched_left&pin=["column_7"]`));
    await page.getByRole("columnheader", { name: "column_3", exact: true }).waitFor();
    expect(await page.getByRole("columnheader").count()).toBeLessThan(40);
    await page.locator(grid).evaluate((element) => {
      element.scrollLeft = element.scrollWidth;
    });
    await page.getByRole("gridcell", { name: "119", exact: true }).waitFor();
    expect(await page.getByRole("columnheader").count()).toBeLessThan(40);
    const pinned = await page.getByRole("columnheader", { name: "column_7", exact: true }).boundingBox();
    const box = await page.locator(grid).boundingBox();
    expect((pinned?.x ?? 0) - (box?.x ?? 0)).toBeLessThan(3);
    await fine(page);
  });

  it("has its proof, and earlier runs of the same are named", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}?tab=proof`));
    await page.getByText("attempt 1").waitFor();
    await page.getByText("Payments that carry an invoice number").waitFor();
    await page.getByText("manifest.json").waitFor();
    const manifest = await kalla.get<Manifest>(`/api/runs/${run.run_id}/manifest`);
    const sha256 = manifest.files[0]?.sha256 ?? "";
    await page.getByTitle(`Copy ${sha256}`).waitFor();
    await page
      .getByRole("row", { name: /payments paid_amount EUR 1,910,817.83 145,712.40 2,056,530.23/ })
      .waitFor();

    const examples = await Promise.all(run.sources.map(({ uri }) => kalla.upload(uri)));
    const [left, right] = examples.map((upload_id) => ({ upload_id, filters: [] }));
    const again = () => kalla.run({ recipe_id: run.recipe_id, sources: { left, right } as never });
    await kalla.ended(await again());
    const second = await kalla.ended(await again());
    await page.goto(at(`/runs/${second.run_id}?tab=proof`));
    await page.getByText(/read the same inputs by the same SQL, and found the same/).waitFor();
    await fine(page);
  });
});

describe("runs that go on", () => {
  it("are seen as they change, and stopped", async () => {
    numbers("many.csv", 200_000);
    const page = await open(browser, at("/runs"));
    await page.getByRole("link", { name: run.name }).first().waitFor();
    const made = await kalla.run(pair("many.csv", "many.csv", ENDLESS, "Never done"));
    await page.getByRole("link", { name: "Never done" }).click();
    await page.getByText("Matching of 200,000 rows against 200,000").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await page.getByText("cancelled").first().waitFor();
    expect((await kalla.ended(made)).state).toBe("cancelled");
    await fine(page);
  });

  it("fail with a sentence that says what to change", async () => {
    const failed = await kalla.ended(
      await kalla.run(pair("many.csv", "nowhere.csv", "SELECT l.id FROM l JOIN r ON l.id = r.id")),
    );
    const page = await open(browser, at(`/runs/${failed.run_id}`));
    expect(await page.getByRole("alert").textContent()).toContain("nowhere.csv");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("attempt 2").waitFor();
    await fine(page);
  });
});

describe("more rows than a browser has pixels for", () => {
  it("are there from the first to the last", async () => {
    const rows = 400_000;
    numbers("left.csv", rows);
    writeFileSync(join(kalla.dir, "right.csv"), "id,n\n-1,-1\n");
    const big = await kalla.ended(
      await kalla.run(pair("left.csv", "right.csv", "SELECT l.id FROM l JOIN r ON l.id = r.id")),
    );
    const page = await open(browser, at(`/runs/${big.run_id}?tab=unmatched_left`));
    await page.locator(cell(0, 0)).getByText("0", { exact: true }).waitFor();
    // A turn of the wheel passes over no row.
    await page.locator(grid).hover();
    await page.mouse.wheel(0, 320);
    await page.locator(cell(10, 0)).getByText("10", { exact: true }).waitFor();
    const first = await page.locator("[role=gridcell]").first().getAttribute("data-row");
    expect(Number(first)).toBeLessThanOrEqual(10);
    await page.locator(grid).focus();
    await page.keyboard.press("End");
    await page
      .locator(cell(rows - 1, 0))
      .getByText("399999")
      .waitFor();
    // The scroll bar, dragged to its middle.
    await page.locator(grid).evaluate((element) => {
      element.scrollTop = (element.scrollHeight - element.clientHeight) / 2;
    });
    await page
      .locator(cell(rows / 2, 0))
      .getByText("200000")
      .waitFor();
    await fine(page);
  });
});

describe("what cannot be shown", () => {
  it("is told in words", async () => {
    const page = await open(browser, at("/runs/3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10"));
    await page.getByText("there is no run 3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10").waitFor();
    await page.goto(at("/elsewhere"));
    await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
    // What the browser says of the 404 itself.
    expect(page.complaints.filter((complaint) => !complaint.includes("404"))).toEqual([]);
    await page.context().close();
  });

  it("is caught up with by a tab that was out of sight", async () => {
    const page = await open(browser, at("/runs"));
    await page.getByText("live").waitFor();
    const turn = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const streams = async () => {
      const text = await (await fetch(at("/metrics"))).text();
      return Number(/^kalla_event_streams (\d+)/m.exec(text)?.[1]);
    };
    const before = await streams();
    await turn(true);
    await expect.poll(streams).toBe(before - 1);
    writeFileSync(join(kalla.dir, "one.csv"), "id\n1\n");
    await kalla.ended(
      await kalla.run(pair("one.csv", "one.csv", "SELECT l.id FROM l JOIN r ON l.id = r.id", "Unseen")),
    );
    await turn(false);
    const row = page.getByRole("row", { name: /Unseen/ });
    await row.getByText("completed").waitFor();
    await fine(page);
  });

  it("comes back when the connection does", async () => {
    const first = await Kalla.start();
    const page = await open(browser, `${first.url}/runs`);
    await page.getByText("Nothing has been reconciled yet").waitFor();
    await page.getByText("live").waitFor();
    await first.kill();
    await page.getByText("reconnecting").waitFor();
    const second = await Kalla.start({ port: first.port, dir: first.dir });
    await page.getByText("live").waitFor();
    writeFileSync(join(second.dir, "one.csv"), "id\n1\n");
    await second.run(pair("one.csv", "one.csv", "SELECT l.id FROM l JOIN r ON l.id = r.id", "After it"));
    await page.getByRole("link", { name: "After it" }).waitFor();
    await page.context().close();
    await second.stop();
  });
});

describe("sources", () => {
  it("are added, tested, looked into and forgotten, and keep their secrets", async () => {
    writeFileSync(join(kalla.dir, "ledger.csv"), "id,amount\n1,10.00\n");
    const page = await open(browser, at("/sources"));
    await page
      .getByRole("heading", { name: "No sources yet" })
      .or(page.getByText("Test the connection"))
      .first()
      .waitFor();
    const add = async (name: string, address: string) => {
      await page.getByRole("textbox", { name: "Name, as recipes call it" }).fill(name);
      await page.getByRole("textbox", { name: "Address" }).fill(address);
      await page.getByRole("button", { name: "Add" }).click();
    };
    await add("ledger", "ledger.csv");
    const ledger = page.getByRole("listitem", { name: "ledger" });
    await ledger.getByRole("button", { name: "Test the connection" }).click();
    await ledger.getByRole("img", { name: "is right" }).waitFor();
    await ledger.getByRole("button", { name: "First rows" }).click();
    await ledger.getByRole("cell", { name: "10.00" }).waitFor();

    await add("bank", "postgres://me:s3cret-word@127.0.0.1:1/bank?table=t");
    const bank = page.getByRole("listitem", { name: "bank" });
    await bank.getByText("login kept, sealed").waitFor();
    await bank.getByRole("button", { name: "Test the connection" }).click();
    await bank.getByText("cannot connect to 127.0.0.1:1").waitFor();
    expect(await page.content()).not.toContain("s3cret-word");
    // What is changed beside the address keeps its login.
    await bank.getByRole("button", { name: "Change" }).click();
    await bank.getByRole("textbox", { name: "What it holds" }).fill("statements");
    await bank.getByText("An address that is left as it stands here keeps them.").waitFor();
    expect(await violations(page)).toEqual([]);
    await bank.getByRole("button", { name: "Save" }).click();
    await bank.getByText("statements").waitFor();
    await bank.getByText("login kept, sealed").waitFor();

    await ledger.getByRole("button", { name: "Filter" }).click();
    const form = ledger.getByRole("form", { name: "Filter" });
    await form.getByRole("combobox", { name: "Column" }).selectOption("amount");
    await form.getByRole("textbox", { name: "Value" }).fill("11");
    await form.getByRole("button", { name: "Apply" }).click();
    await ledger.getByText("No row passes.").waitFor();
    expect(await violations(page)).toEqual([]);

    await add("bank", "other.csv");
    await page.getByRole("alert").waitFor();
    await bank.getByRole("button", { name: "Forget" }).click();
    await bank.getByRole("button", { name: "Really forget it" }).click();
    await bank.waitFor({ state: "detached" });
    expect(page.complaints.filter((complaint) => !complaint.includes("412"))).toEqual([]);
    await page.context().close();
  });
});

describe("keys and commands", () => {
  it("lead anywhere", async () => {
    const page = await open(browser, at("/runs"));
    await page.getByRole("link", { name: run.name }).first().waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).getByText("to the exports").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    const commands = page.getByRole("dialog", { name: "Commands" });
    await commands.getByRole("combobox").fill("recipe bank");
    await commands.getByRole("option", { name: run.name }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/recipes/invoices-payments");

    await page.goto(at(`/runs/${run.run_id}?tab=unmatched_left`));
    await page.getByText("270 rows").waitFor();
    await page.keyboard.press("x");
    await page.keyboard.press("Tab");
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    expect((await download).suggestedFilename()).toMatch(/unmatched_left.spreadsheet.csv$/);
    // In a field they are letters.
    await page.keyboard.press("/");
    await page.keyboard.type("x?");
    expect(await page.getByRole("searchbox").inputValue()).toBe("x?");
    await page.keyboard.press("Control+k");
    await commands.getByRole("combobox").fill("theme dark");
    await page.keyboard.press("Enter");
    await commands.waitFor({ state: "detached" });
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    await page.getByRole("button", { name: "Theme: dark" }).waitFor();
    await fine(page);
  });
});

describe("settings", () => {
  it("say what it is made of, and when the worker is away", async () => {
    const page = await open(browser, at("/settings"));
    await page.getByText("The worker runs 0 of at most").waitFor();
    await page.getByText("SQLite").waitFor();
    await page.getByRole("radio", { name: "Dark" }).check();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    expect(await violations(page)).toEqual([]);
    await page.context().close();
    const alone = await Kalla.start({ command: "gateway", env: { WORKER_URL: "http://127.0.0.1:1" } });
    const lost = await open(browser, `${alone.url}/settings`);
    await lost.getByRole("alert").getByText("the worker at http://127.0.0.1:1 cannot be reached").waitFor();
    await lost.getByRole("link", { name: "no worker" }).waitFor();
    await fine(lost);
    await alone.stop();
  });
});

describe("everybody can use it", () => {
  it.each(["light", "dark"] as const)("in %s", async (theme) => {
    const page = await open(browser, at("/"), theme);
    const check = async (place: string) => expect(await violations(page), `${place} in ${theme}`).toEqual([]);
    await page.getByRole("region", { name: "Recipes" }).waitFor();
    await check("overview");
    await page.goto(at("/runs"));
    await page.getByRole("table").waitFor();
    await check("runs");
    for (const tab of ["unmatched_left", "matched", "proof"]) {
      await page.goto(at(`/runs/${run.run_id}?tab=${tab}`));
      await page
        .getByRole("tabpanel")
        .getByText("INV-2026")
        .or(page.getByText("manifest.json"))
        .first()
        .waitFor();
      await check(tab);
    }
    await page.goto(at(`/runs/${run.run_id}?tab=unmatched_right&row=0`));
    await page.getByText("meets every condition of").waitFor();
    await check("a row");
    await page.goto(at("/recipes"));
    await page.getByRole("link", { name: run.name }).first().waitFor();
    await check("recipes");
    await page.goto(at("/recipes/invoices-payments"));
    await page.getByText("Every pass leaves alone").waitFor();
    await page.getByRole("region", { name: "Runs" }).getByRole("link").first().waitFor();
    await check("a recipe");
    await page.goto(at("/sources"));
    await page.getByRole("listitem").first().waitFor();
    await check("sources");
    await page.goto(at("/settings"));
    await page.getByText("a job may use").waitFor();
    await check("settings");
    await page.goto(at("/recipes/invoices-payments?edit=version"));
    await page.getByRole("textbox", { name: "How rows match, as SQL" }).waitFor();
    await check("a recipe that is changed");
    await page.goto(at(`/runs/${run.run_id}?tab=matched&row=0`));
    await page.getByRole("region", { name: "Rows that match" }).waitFor();
    await check("a match");
    await page.goto(at("/new"));
    await page.getByText("Drop the other file").waitFor();
    await check("new");
    await fine(page);
  });
});
