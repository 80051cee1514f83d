import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Refused } from "./api/client";
import { follow } from "./api/events";
import { router } from "./router";
import { theme, wear } from "./state/theme";
import "./style.css";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The gateway may be on this machine, whose network is of no account then.
      networkMode: "always",
      // News come by the stream; what nobody tells of is read again when someone looks.
      staleTime: 10_000,
      // What was refused once is refused again; what was away may come back.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof Refused && error.status >= 400 && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});

wear(theme());
follow(client);
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
