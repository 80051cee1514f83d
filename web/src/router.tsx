/** The places of the page. */
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Frame } from "./components/Frame";
import { Empty } from "./components/Shown";
import { conditions } from "./pages/new/conditions";
import { NewPage } from "./pages/new/NewPage";
import type { Draft } from "./pages/new/plan";
import { OverviewPage } from "./pages/overview/OverviewPage";
import { type Look, RecipePage } from "./pages/recipes/RecipePage";
import { RecipesPage } from "./pages/recipes/RecipesPage";
import { RunPage } from "./pages/run/RunPage";
import { RunsPage } from "./pages/runs/RunsPage";
import { SettingsPage } from "./pages/settings/SettingsPage";
import { SourcesPage } from "./pages/sources/SourcesPage";
import { view } from "./state/view";

function isObject(given: unknown): given is Record<string, unknown> {
  return typeof given === "object" && given !== null;
}

function texts(given: unknown): string[] {
  return Array.isArray(given) ? given.map(String) : [];
}

const root = createRootRoute({
  component: Frame,
  notFoundComponent: () => (
    <>
      <h1 className="mb-4 text-xl">Elsewhere</h1>
      <Empty title="There is nothing here">
        The address leads to no page. What you were looking for may be under Runs.
      </Empty>
    </>
  ),
});

const overview = createRoute({ getParentRoute: () => root, path: "/", component: OverviewPage });

const runs = createRoute({ getParentRoute: () => root, path: "/runs", component: RunsPage });

export const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  validateSearch: view,
  component: function Run() {
    const { id } = runRoute.useParams();
    const seen = runRoute.useSearch();
    const navigate = runRoute.useNavigate();
    // Moving about in a result is no step to go back to; opening a part of it, or a row, is.
    const look = (next: typeof seen, replace = false) =>
      void navigate({ search: view({ ...next }), replace, resetScroll: false });
    return <RunPage id={id} view={seen} look={look} />;
  },
});

const fresh = createRoute({
  getParentRoute: () => root,
  path: "/new",
  validateSearch: (search: Record<string, unknown>): Draft => ({
    ...(typeof search.left === "string" && { left: search.left }),
    ...(typeof search.right === "string" && { right: search.right }),
    ...(isObject(search.nulls) && {
      nulls: { left: texts(search.nulls.left), right: texts(search.nulls.right) },
    }),
    ...(search.conditions !== undefined && { conditions: conditions(search.conditions) }),
    ...(search.compare === true && { compare: true }),
    ...(typeof search.sql === "string" && { sql: search.sql }),
  }),
  component: function New() {
    const navigate = fresh.useNavigate();
    const become = (change: Draft, replace = false) =>
      void navigate({ search: (now) => ({ ...now, ...change }), replace, resetScroll: false });
    return <NewPage draft={fresh.useSearch()} become={become} />;
  },
});

const recipes = createRoute({ getParentRoute: () => root, path: "/recipes", component: RecipesPage });

const recipeRoute = createRoute({
  getParentRoute: () => root,
  path: "/recipes/$id",
  validateSearch: (search: Record<string, unknown>): Look => ({
    ...((search.edit === "version" || search.edit === "copy") && { edit: search.edit }),
    ...(typeof search.left === "string" && { left: search.left }),
    ...(typeof search.right === "string" && { right: search.right }),
  }),
  component: function Recipe() {
    const { id } = recipeRoute.useParams();
    const navigate = recipeRoute.useNavigate();
    const become = (change: Look) =>
      void navigate({ search: (now) => ({ ...now, ...change }), resetScroll: false });
    return <RecipePage key={id} id={id} look={recipeRoute.useSearch()} become={become} />;
  },
});

const sources = createRoute({ getParentRoute: () => root, path: "/sources", component: SourcesPage });

const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: SettingsPage });

export const router = createRouter({
  routeTree: root.addChildren([overview, runs, runRoute, recipes, recipeRoute, sources, settings, fresh]),
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
