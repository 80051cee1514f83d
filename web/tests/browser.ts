/** Debian's Chromium, and pages that may not complain. */
import { existsSync } from "node:fs";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect, onTestFailed } from "vitest";

const PLACES = [
  process.env.KALLA_TEST_CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

export async function launch(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  if (!executablePath)
    throw new Error("no Chromium: scripts/test.sh installs it, or KALLA_TEST_CHROMIUM says where it is");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export type Opened = Page & { complaints: string[] };

/** A page in a context of its own; what it complains of is kept. */
export async function open(
  browser: Browser,
  url: string,
  theme: "light" | "dark" = "light",
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: theme,
    locale: "en-US",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  // Each attempt: one that fails is made once more (`--retry`), as a browser on a busy machine may stall.
  onTestFailed(async ({ task }) => {
    const seen = await page.locator("body").ariaSnapshot({ timeout: 1000 }).catch(String);
    process.stderr.write(
      `\n${task.name}: failed at ${page.url()}\n${[...complaints, seen.slice(0, 4000)].join("\n")}\n`,
    );
  });
  await page.goto(url);
  return Object.assign(page, { complaints });
}

/** What axe finds wrong with a page as it is now. */
export async function violations(page: Page): Promise<string[]> {
  // Through the debugger, which the policy of the page does not bind.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: typeof axe }).axe.run;
    return (await run(document)).violations.map(({ id, help, nodes }) => ({
      id,
      help,
      where: nodes.map((n) => n.html),
    }));
  });
  return found.map(({ id, help, where }) => `${id}: ${help}\n${where.slice(0, 3).join("\n")}`);
}

export async function fine(page: Opened) {
  expect(page.complaints).toEqual([]);
  await page.context().close();
}
