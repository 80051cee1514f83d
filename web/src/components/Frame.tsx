/** What is around every page: where one can go, and whether the page hears of changes. */
import { Link, Outlet } from "@tanstack/react-router";
import {
  BookText,
  Command,
  Database,
  LayoutDashboard,
  ListChecks,
  Moon,
  Plus,
  Settings,
  Sun,
  SunMoon,
} from "lucide-react";
import { useState } from "react";
import { useKey } from "../state/keys";
import { THEMES, useTheme, wear } from "../state/theme";
import { Commands } from "./Commands";
import { Health } from "./Health";
import { KeySheet } from "./Keys";

const PLACES = [
  { to: "/", name: "Overview", Icon: LayoutDashboard },
  { to: "/runs", name: "Runs", Icon: ListChecks },
  { to: "/recipes", name: "Recipes", Icon: BookText },
  { to: "/sources", name: "Sources", Icon: Database },
  { to: "/settings", name: "Settings", Icon: Settings },
] as const;

export function Frame() {
  const [open, setOpen] = useState<"commands" | "keys">();
  const close = () => setOpen(undefined);
  useKey("k", () => setOpen(open === "commands" ? undefined : "commands"), true);
  useKey("?", () => setOpen("keys"));
  return (
    <div className="flex min-h-dvh flex-col lg:flex-row">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-surface focus:p-2"
      >
        Skip to the page
      </a>
      <header className="flex shrink-0 items-center gap-1 border-b border-line bg-surface px-3 py-2 lg:sticky lg:top-0 lg:h-dvh lg:w-56 lg:flex-col lg:items-stretch lg:border-r lg:border-b-0 lg:py-4">
        <Link to="/" className="flex items-center gap-2 px-2 font-semibold lg:mb-4">
          <img src="/favicon.svg" alt="" className="size-6" />
          Kalla
        </Link>
        <Link
          to="/new"
          className="flex h-8 items-center justify-center gap-1.5 rounded bg-accent px-3 text-sm font-semibold whitespace-nowrap text-on-fill hover:brightness-110 lg:mb-3"
        >
          <Plus aria-hidden className="size-4" />
          <span className="sr-only sm:not-sr-only">New reconciliation</span>
        </Link>
        <nav aria-label="Pages" className="flex grow gap-1 lg:flex-col">
          {PLACES.map(({ to, name, Icon }) => (
            <Link
              key={to}
              to={to}
              title={name}
              activeOptions={{ exact: to === "/" }}
              className="flex h-8 items-center gap-2 rounded px-2 text-sm text-quiet hover:bg-raised"
              activeProps={{ className: "bg-raised font-semibold !text-ink" }}
            >
              <Icon aria-hidden className="size-4" />
              <span className="sr-only lg:not-sr-only">{name}</span>
            </Link>
          ))}
        </nav>
        <button
          type="button"
          onClick={() => setOpen("commands")}
          title="Go to anything, do anything (Ctrl K)"
          className="flex h-8 items-center gap-2 rounded px-2 text-sm text-quiet hover:bg-raised"
        >
          <Command aria-hidden className="size-4" />
          <span className="sr-only lg:not-sr-only">Commands</span>
          <kbd aria-hidden className="ml-auto hidden font-mono text-xs lg:inline">
            Ctrl K
          </kbd>
        </button>
        <Health />
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 grow p-4 outline-none md:p-6">
        <Outlet />
      </main>
      {open === "commands" && <Commands close={close} />}
      {open === "keys" && <KeySheet close={close} />}
    </div>
  );
}

const LOOKS = { system: SunMoon, light: Sun, dark: Moon };

function ThemeButton() {
  const worn = useTheme();
  const Icon = LOOKS[worn];
  const next = THEMES[(THEMES.indexOf(worn) + 1) % THEMES.length] ?? "system";
  return (
    <button
      type="button"
      onClick={() => wear(next)}
      title={`Theme: ${worn}. Change to ${next}.`}
      aria-label={`Theme: ${worn}. Change to ${next}.`}
      className="flex h-8 items-center gap-2 rounded px-2 text-sm text-quiet hover:bg-raised"
    >
      <Icon aria-hidden className="size-4" />
      <span className="hidden lg:inline">{worn}</span>
    </button>
  );
}
