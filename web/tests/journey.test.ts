/** The month of a controller, in a real browser against the real product: what is wrong is seen first, and leads to its rows. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Run } from "../src/api/client";
import { fine, launch, open, violations } from "./browser";
import { MATCH, type Month, month } from "./journeys";
import { Kalla } from "./kalla";

let browser: Browser;
let kalla: Kalla;
let october: Month;
let run: Run;

beforeAll(async () => {
  [browser, kalla] = await Promise.all([launch(), Kalla.start()]);
  october = month();
  for (const side of ["ledger", "bank"] as const)
    writeFileSync(join(kalla.dir, `${side}.csv`), october[side]);
  run = await kalla.ended(await kalla.run({ recipe: recipe("Bank 1200 October") }));
  expect(run.state, run.error?.error).toBe("completed");
});

afterAll(async () => {
  await browser?.close();
  await kalla?.stop();
});

function recipe(name: string, match_sql = MATCH) {
  const source = (alias: string) => ({ alias, uri: `${alias}.csv`, type: "file" });
  return {
    recipe_id: "",
    name,
    match_sql,
    sources: { left: source("ledger"), right: source("bank") },
  } as never;
}

const at = (path: string) => kalla.url + path;

describe("what is wrong", () => {
  it("stands first, is red, and leads to its rows", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}`));
    const verdict = page.getByRole("region", { name: "Verdict" });
    const apart = verdict.getByRole("link", {
      name: /^matched rows are [\d,.]+ EUR apart in amount and credit, [\d,.]+ allowed$/,
    });
    expect(await verdict.textContent()).toBe(run.complete?.verdict?.sentence);
    const colour = await apart.evaluate((link) => getComputedStyle(link).color);
    expect(colour).toBe(
      await page.evaluate(() => {
        const probe = document.body.appendChild(
          Object.assign(document.createElement("i"), { className: "text-error" }),
        );
        return getComputedStyle(probe).color;
      }),
    );
    // It is above the picture and above the fold.
    expect((await apart.boundingBox())?.y).toBeLessThan(200);
    await apart.click();
    await page.waitForURL("**only=apart**");
    await page.getByText(`${october.twice * 2} rows`).waitFor();
    await verdict.getByRole("link", { name: `${october.twice} rows of ledger match more than once` }).click();
    await page
      .getByRole("button", { name: `${october.twice} rows of ledger more than once`, pressed: true })
      .waitFor();
    await page.getByText(`${october.twice * 2} rows`).waitFor();
    // The address holds it; a search within it is one of those rows alone.
    await page.reload();
    await page.getByText(`${october.twice * 2} rows`).waitFor();
    await page.getByRole("searchbox").fill("INV-10-10150");
    await page.getByText("2 rows", { exact: false }).first().waitFor();
    expect(await page.getByRole("link", { name: "CSV" }).getAttribute("href")).toContain(
      "only=multiple_left",
    );
    await page.getByRole("button", { name: "All matches" }).click();
    await page.waitForURL((url) => !url.search.includes("only"));
    await fine(page);
  });

  it("is in the lists, too, with what is open of each side", async () => {
    const page = await open(browser, at("/runs"));
    const row = page.getByRole("row", { name: /Bank 1200 October/ });
    await row.getByText(`${october.twice} rows of ledger match more than once`).waitFor();
    const { unmatched_left_count: left, unmatched_right_count: right } = run.complete ?? {};
    await row.getByTitle("open in ledger").getByText(String(left)).waitFor();
    await row.getByTitle("open in bank").getByText(String(right)).waitFor();
    await fine(page);
  });

  it("shows both equations, and what lies between them", async () => {
    const page = await open(browser, at(`/runs/${run.run_id}`));
    const balance = page.getByRole("region", { name: "Balance" });
    await balance.getByText(/^ledger: 2,000 = [\d,]+ matched \+ \d+ open$/).waitFor();
    await balance.getByText(/^ledger\.amount EUR: [\d,.]+ = [\d,.]+ matched \+ [\d,.]+ open$/).waitFor();
    await balance
      .getByText(/^matched on both sides: [\d,.]+ \+ [\d,.]+ = [\d,.]+, [\d,.]+ allowed$/)
      .waitFor();
    for (const width of [1440, 768, 390]) {
      await page.setViewportSize({ width, height: 900 });
      // Both sides meet in the middle of the picture, and their ends say what is open, however little it is.
      const parts = balance.getByRole("link", { name: /matched/ });
      const [l, r] = [await parts.nth(0).boundingBox(), await parts.nth(1).boundingBox()];
      const box = await balance.boundingBox();
      const middle = (box?.x ?? 0) + (box?.width ?? 0) / 2;
      expect(Math.abs((l?.x ?? 0) + (l?.width ?? 0) - middle)).toBeLessThan(4);
      expect(Math.abs((r?.x ?? 0) - middle)).toBeLessThan(4);
      for (const end of await balance.getByRole("link", { name: /open/ }).all())
        expect(await end.isVisible()).toBe(true);
    }
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });
});

it("groups no numbers that name something, and sums none up", async () => {
  const page = await open(browser, at(`/runs/${run.run_id}?tab=unmatched_right`));
  await page
    .getByRole("gridcell", { name: /^109\d{5}$/ })
    .first()
    .waitFor();
  await page.goto(at(`/runs/${run.run_id}?tab=proof`));
  const sums = page.getByRole("region", { name: "What it sums up to", exact: true });
  await sums.getByRole("cell", { name: "credit" }).waitFor();
  expect(await sums.getByText(/txn_id|account/).count()).toBe(0);
  await fine(page);
});

it("shows the line that ended a run, among those around it, and what can be done", async () => {
  const lines = october.bank.split("\n");
  lines[100] += ",,";
  writeFileSync(join(kalla.dir, "broken.csv"), lines.join("\n"));
  const [left, right] = await Promise.all(
    ["ledger.csv", "broken.csv"].map((name) => kalla.upload(join(kalla.dir, name))),
  );
  const sources = { left: { upload_id: left, filters: [] }, right: { upload_id: right, filters: [] } };
  const source = (alias: string) => ({ alias, type: "file" });
  const broken = await kalla.ended(
    await kalla.run({
      recipe: { match_sql: MATCH, sources: { left: source("ledger"), right: source("bank") } } as never,
      sources: sources as never,
    }),
  );
  const page = await open(browser, at(`/runs/${broken.run_id}`));
  const wrong = page.getByRole("region", { name: "What is wrong" });
  await wrong.getByRole("alert").getByText("line 101: 9 fields, header has 7").waitFor();
  await wrong.getByText("broken.csv, line 101").waitFor();
  const shown = wrong.getByRole("row");
  expect(await shown.allTextContents()).toEqual(
    [98, 99, 100, 101, 102].map((index) => `${index + 1}${lines[index]}`),
  );
  expect(await wrong.locator("[aria-current=true]").textContent()).toBe(`101${lines[100]}`);
  expect(await violations(page)).toEqual([]);
  await wrong.getByRole("link", { name: "Choose other files" }).click();
  await page.getByRole("region", { name: "Right side" }).getByText("broken.csv").first().waitFor();
  await page.context().close();
});

it("says how a recipe stands however often others have run", async () => {
  const source = (alias: string, uri: string) => ({ alias, uri, type: "file" });
  writeFileSync(join(kalla.dir, "one.csv"), "id\n1\n2\n");
  const small = {
    recipe_id: "small",
    name: "Small",
    match_sql: "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id",
    sources: { left: source("l", "one.csv"), right: source("r", "one.csv") },
  };
  await kalla.post("/api/recipes", { ...small, recipe_id: "idle", name: "Idle" });
  await kalla.post("/api/recipes", small);
  const month = { recipe_id: "bank-1200", name: "Bank 1200", match_sql: MATCH };
  await kalla.post("/api/recipes", {
    ...month,
    sources: { left: source("ledger", "ledger.csv"), right: source("bank", "bank.csv") },
  });
  const once = await kalla.ended(await kalla.run({ recipe_id: "bank-1200" }));
  const others = Array.from({ length: 110 }, () => kalla.run({ recipe_id: "small" }));
  await Promise.all(others.map(async (run) => kalla.ended(await run)));
  for (const path of ["/", "/recipes"]) {
    const page = await open(browser, at(path));
    const line = page
      .getByRole("listitem")
      .filter({ has: page.getByRole("link", { name: "Bank 1200", exact: true }) });
    await line.getByText("rows of ledger match more than once").waitFor();
    await line.getByTitle("open in bank").getByText(String(once.complete?.unmatched_right_count)).waitFor();
    await page
      .getByRole("listitem")
      .filter({ has: page.getByRole("link", { name: "Idle", exact: true }) })
      .getByText("not run yet")
      .waitFor();
    await fine(page);
  }
});

it("says of words for which version they were written", async () => {
  const recipe = {
    recipe_id: "told",
    name: "Told",
    match_description: "amount and credit are at most 3.00 apart",
    match_sql: MATCH,
    sources: { left: { alias: "ledger", uri: "ledger.csv" }, right: { alias: "bank", uri: "bank.csv" } },
  };
  await kalla.post("/api/recipes", recipe);
  const page = await open(browser, at("/recipes/told"));
  await page.getByText(recipe.match_description).waitFor();
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await page.getByRole("textbox", { name: "How rows match, as SQL" }).fill(MATCH.replace("2.90", "40.00"));
  await page.getByText("do these words still say what it does?").waitFor();
  await page.getByRole("button", { name: "Save as version 2" }).click();
  await page.getByText("Written for version 1: the SQL has changed since.").waitFor();
  expect(await violations(page)).toEqual([]);
  // No list repeats what is not true any more.
  await page.goto(at("/recipes"));
  await page.getByRole("link", { name: "Told", exact: true }).waitFor();
  expect(await page.getByText(recipe.match_description).count()).toBe(0);
  await page.context().close();
});
