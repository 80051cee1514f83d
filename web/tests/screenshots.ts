/** Pictures of the page for the documentation, from the example: `npm run screenshots`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "vitest";
import type { Run } from "../src/api/client";
import { launch, open } from "./browser";
import { Kalla } from "./kalla";

const OUT = join(import.meta.dirname, "../../docs/screenshots");
mkdirSync(OUT, { recursive: true });

it("are taken", async () => {
  const [browser, demo, empty] = await Promise.all([launch(), Kalla.start({ demo: true }), Kalla.start()]);
  const { runs } = await demo.get<{ runs: [Run] }>("/api/runs");
  const run = `${demo.url}/runs/${runs[0].run_id}`;
  const examples = join(import.meta.dirname, "../../examples");
  const [left, right] = await Promise.all(
    ["invoices.csv", "payments.csv"].map((name) => demo.upload(join(examples, name))),
  );
  const places = [
    ["empty", `${empty.url}/`],
    ["no-recipes", `${empty.url}/recipes`],
    ["no-sources", `${empty.url}/sources`],
    ["overview", `${demo.url}/`],
    ["runs", `${demo.url}/runs`],
    ["run", run],
    ["why", `${run}?tab=unmatched_right&row=3`],
    ["amounts", `${run}?tab=matched&amount=["amount","paid_amount","EUR"]`],
    ["match", `${run}?tab=matched&row=3`],
    ["proof", `${run}?tab=proof`],
    ["settings", `${demo.url}/settings`],
    ["recipes", `${demo.url}/recipes`],
    ["sources", `${demo.url}/sources`],
    ["recipe", `${demo.url}/recipes/${runs[0].recipe_id}`],
    ["new", `${demo.url}/new?${new URLSearchParams({ left: left ?? "", right: right ?? "" })}`],
  ] as const;
  for (const [name, url] of places) {
    for (const theme of ["light", "dark"] as const) {
      for (const width of [1440, 768]) {
        const page = await open(browser, "about:blank", theme);
        await page.setViewportSize({ width, height: 900 });
        await page.goto(url);
        await page.getByText("live").waitFor();
        await page.waitForFunction(() => !document.querySelector("[role=status][aria-label=Loading]"));
        await page.screenshot({ path: join(OUT, `${name}-${theme}-${width}.png`) });
        await page.context().close();
      }
    }
  }
  await browser.close();
  await Promise.all([demo.stop(), empty.stop()]);
});
