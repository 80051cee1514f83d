/** The places of the page. */
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Frame } from "./components/Frame";
import { Empty } from "./components/Shown";
import { OverviewPage } from "./pages/overview/OverviewPage";
import { RunPage } from "./pages/run/RunPage";
import { RunsPage } from "./pages/runs/RunsPage";
import { view } from "./state/view";

const root = createRootRoute({
  component: Frame,
  notFoundComponent: () => (
    <Empty title="There is nothing here">
      The address leads to no page. What you were looking for may be under Runs.
    </Empty>
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
    const look = (search: typeof seen, replace = false) =>
      void navigate({ search, replace, resetScroll: false });
    return <RunPage id={id} view={seen} look={look} />;
  },
});

export const router = createRouter({
  routeTree: root.addChildren([overview, runs, runRoute]),
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
