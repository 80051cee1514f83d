/** What is around every page: where one can go, and whether the page hears of changes. */
import { Link, Outlet } from "@tanstack/react-router";
import { BookText, Database, LayoutDashboard, ListChecks, Moon, Plus, Sun, SunMoon } from "lucide-react";
import { useState } from "react";
import { useStream } from "../api/events";
import { THEMES, type Theme, theme, wear } from "../state/theme";

const PLACES = [
  { to: "/", name: "Overview", Icon: LayoutDashboard },
  { to: "/runs", name: "Runs", Icon: ListChecks },
  { to: "/recipes", name: "Recipes", Icon: BookText },
  { to: "/sources", name: "Sources", Icon: Database },
] as const;

export function Frame() {
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
              activeOptions={{ exact: to === "/" }}
              className="flex h-8 items-center gap-2 rounded px-2 text-sm text-quiet hover:bg-raised"
              activeProps={{ className: "bg-raised font-semibold !text-ink" }}
            >
              <Icon aria-hidden className="size-4" />
              {name}
            </Link>
          ))}
        </nav>
        <Stream />
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 grow p-4 outline-none md:p-6">
        <Outlet />
      </main>
    </div>
  );
}

function Stream() {
  const status = useStream();
  const [colour, word] =
    status === "live"
      ? ["bg-matched", "live"]
      : status === "lost"
        ? ["bg-error", "reconnecting"]
        : ["bg-quiet", "connecting"];
  return (
    <p role="status" className="flex items-center gap-2 px-2 text-xs text-quiet">
      <span aria-hidden className={`size-2 rounded-full ${colour}`} />
      {word}
    </p>
  );
}

const LOOKS = { system: SunMoon, light: Sun, dark: Moon };

function ThemeButton() {
  const [worn, setWorn] = useState<Theme>(theme);
  const Icon = LOOKS[worn];
  const next = THEMES[(THEMES.indexOf(worn) + 1) % THEMES.length] ?? "system";
  const change = () => {
    wear(next);
    setWorn(next);
  };
  return (
    <button
      type="button"
      onClick={change}
      title={`Theme: ${worn}. Change to ${next}.`}
      aria-label={`Theme: ${worn}. Change to ${next}.`}
      className="flex h-8 items-center gap-2 rounded px-2 text-sm text-quiet hover:bg-raised"
    >
      <Icon aria-hidden className="size-4" />
      <span className="hidden lg:inline">{worn}</span>
    </button>
  );
}
