/** Everything that one can go to or do, by its name. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { recipes as recipesQuery } from "../api/recipes";
import { runs as runsQuery } from "../api/runs";
import { sources as sourcesQuery } from "../api/sources";
import { ago } from "../format/times";
import { type Command, found, useOffered } from "../state/commands";
import { THEMES, wear } from "../state/theme";
import { Sheet } from "./Sheet";

/** More are not read anyway: one types on. */
const SHOWN = 50;

export function Commands({ close }: { close: () => void }) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const shown = found(useCommands(), typed).slice(0, SHOWN);
  const chosen = Math.min(at, shown.length - 1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is chosen is brought into sight
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const act = (command: Command | undefined) => {
    if (!command) return;
    close();
    command.act();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, shown.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") act(shown[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <Sheet title="Commands" titled={false} close={close} className="w-[min(40rem,calc(100vw-2rem))]">
      <input
        role="combobox"
        aria-label="Go to or do"
        aria-expanded
        aria-controls={`${id}-list`}
        aria-activedescendant={shown.length > 0 ? `${id}-${chosen}` : undefined}
        placeholder="Go to anything, do anything"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKey}
        className="h-12 w-full border-b border-line bg-surface px-4 outline-none placeholder:text-quiet"
      />
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label="Commands"
        className="max-h-96 overflow-auto py-1 text-sm"
      >
        {shown.map((command, index) => (
          <div
            key={`${command.hint} ${command.name}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            tabIndex={-1}
            onMouseMove={() => setAt(index)}
            onClick={() => act(command)}
            className={`flex cursor-pointer items-center gap-3 px-4 py-2 ${index === chosen ? "bg-raised" : ""}`}
          >
            <span className="truncate">{command.name}</span>
            <span className="ml-auto shrink-0 text-xs text-quiet">{command.hint}</span>
          </div>
        ))}
      </div>
      {shown.length === 0 && <p className="px-4 pb-4 text-sm text-quiet">Nothing is called so.</p>}
    </Sheet>
  );
}

/** What the page offers, then places, then everything that has a name. */
function useCommands(): Command[] {
  const offered = useOffered();
  const navigate = useNavigate();
  const recipes = useQuery(recipesQuery()).data?.recipes ?? [];
  const runs = useQuery(runsQuery()).data?.runs ?? [];
  const sources = useQuery(sourcesQuery()).data?.sources ?? [];
  const now = Date.now();
  const page = (name: string, to: "/" | "/runs" | "/recipes" | "/sources" | "/settings" | "/new") => ({
    name,
    hint: "page",
    act: () => void navigate({ to }),
  });
  return [
    ...offered,
    page("New reconciliation", "/new"),
    page("Overview", "/"),
    page("Runs", "/runs"),
    page("Recipes", "/recipes"),
    page("Sources", "/sources"),
    page("Settings", "/settings"),
    ...recipes.map(({ recipe_id: id, name }) => ({
      name: name || id,
      hint: `recipe ${id}`,
      act: () => void navigate({ to: "/recipes/$id", params: { id } }),
    })),
    ...runs.map(({ run_id: id, name, state, created }) => ({
      name,
      hint: `run, ${state}, ${created ? ago(created, now) : ""} · ${id.slice(0, 8)}`,
      act: () => void navigate({ to: "/runs/$id", params: { id } }),
    })),
    ...sources.map(({ alias }) => ({
      name: alias,
      hint: "source",
      act: () => void navigate({ to: "/sources", hash: alias }),
    })),
    ...THEMES.map((theme) => ({ name: `Theme: ${theme}`, hint: "look", act: () => wear(theme) })),
  ];
}
