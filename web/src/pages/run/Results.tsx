/** What a run has found: a tab for each part of it. */
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Complete, Run } from "../../api/client";
import { type FileKind, file, manifest, page, type ResultSet, type Selection } from "../../api/runs";
import { sides } from "../../components/Balance";
import { Filters } from "../../components/Filters";
import { amountColumns } from "../../components/sums";
import { count } from "../../format/numbers";
import { useOffer } from "../../state/commands";
import { asked } from "../../state/filters";
import { useKey } from "../../state/keys";
import { isSet, type Tab, type View } from "../../state/view";
import { Beside } from "./Beside";
import { ColumnMenu } from "./ColumnMenu";
import { Differences } from "./Differences";
import { Proof } from "./Proof";
import { RowDrawer } from "./RowDrawer";
import { PAGE, RowTable } from "./RowTable";

interface Props {
  run: Run;
  complete: Complete;
  view: View;
  look: (view: View, replace?: boolean) => void;
}

export function Results({ run, complete, view, look }: Props) {
  const tabs = tabsOf(run, complete);
  const tab = tabs.some(({ tab }) => tab === view.tab) ? (view.tab ?? "matched") : firstOf(complete);
  return (
    <section aria-label="Results">
      <div
        role="tablist"
        aria-label="Parts of the result"
        className="flex flex-wrap gap-1 border-b border-line"
      >
        {tabs.map(({ tab: one, name, rows }) => (
          <button
            key={one}
            id={`tab-${one}`}
            type="button"
            role="tab"
            aria-selected={one === tab}
            aria-controls="part"
            onClick={() => look({ tab: one })}
            className={`-mb-px border-b-2 px-3 py-2 text-sm ${
              one === tab ? "border-accent font-semibold" : "border-transparent text-quiet hover:text-ink"
            }`}
          >
            {name} {rows !== undefined && <span className="text-quiet">{count(rows)}</span>}
          </button>
        ))}
      </div>
      <div id="part" role="tabpanel" aria-labelledby={`tab-${tab}`} className="pt-3">
        {isSet(tab) ? (
          <Part key={tab} run={run} complete={complete} set={tab} view={view} look={look} />
        ) : (
          <Proof run={run} complete={complete} />
        )}
      </div>
    </section>
  );
}

/** What needs a person comes first. */
function firstOf(complete: Complete): Tab {
  if (complete.unmatched_left_count > 0) return "unmatched_left";
  return complete.unmatched_right_count > 0 ? "unmatched_right" : "matched";
}

function tabsOf(run: Run, complete: Complete): { tab: Tab; name: string; rows?: number }[] {
  const [left, right] = sides(run, complete);
  const rejected = [
    { tab: "rejected_left" as const, name: `Rejected in ${left.name}`, rows: left.rejected },
    { tab: "rejected_right" as const, name: `Rejected in ${right.name}`, rows: right.rejected },
  ];
  return [
    { tab: "unmatched_left", name: `Open in ${left.name}`, rows: left.open },
    { tab: "unmatched_right", name: `Open in ${right.name}`, rows: right.open },
    { tab: "matched", name: "Matched", rows: complete.matched_count },
    ...rejected.filter(({ rows }) => rows > 0),
    { tab: "proof", name: "Proof" },
  ];
}

const FORMATS: (FileKind & { name: string; hint?: string })[] = [
  { format: "xlsx", name: "XLSX" },
  // Most who open one do so in a spreadsheet, which would run what begins like a formula.
  {
    format: "csv",
    name: "CSV",
    spreadsheet: true,
    hint: "An apostrophe stands before text that a spreadsheet would run",
  },
  { format: "parquet", name: "Parquet" },
  { format: "arrow", name: "Arrow" },
];

/** The same each time. */
const NONE: string[] = [];

function Part({ run, complete, set, view, look }: Props & { set: ResultSet }) {
  const [left, right] = sides(run, complete);
  const tab: Tab = set;
  const { order, q, filters = [], hide = NONE, pin = NONE } = view;
  const only = set === "matched" ? view.only : undefined;
  const filter = asked(filters);
  const selection: Selection = {
    run: run.run_id,
    set,
    ...(order && { order }),
    ...(q && { q }),
    ...(filter && { filter }),
    ...(only && { only }),
  };
  // The columns are those of the whole set, also where nothing is found in it.
  const { data } = useQuery(page({ run: run.run_id, set }, 0, PAGE));
  const amounts = amountColumns(useQuery(manifest(run.run_id)).data, set);
  const change = (next: View, replace = false) =>
    look({ tab, only, order, q, filters, hide, pin, ...next }, replace);
  const columns = data?.columns ?? [];
  const names = columns.map(({ name }) => name);
  const shown = names.filter((name) => !hide.includes(name));
  const as = (kind: FileKind) => file(selection, kind, hide.length > 0 ? JSON.stringify(shown) : undefined);
  const exports = useRef<HTMLParagraphElement>(null);
  useKey("x", () => exports.current?.querySelector("a")?.focus());
  useOffer(
    FORMATS.map((kind) => ({
      name: `Export as ${kind.name}`,
      hint: "what is shown",
      act: () => window.location.assign(as(kind)),
    })),
  );
  return (
    <>
      {set === "matched" && complete.differing_count !== undefined && (
        <Differences
          run={run}
          left={left.name}
          right={right.name}
          filters={filters}
          choose={(chosen) =>
            change({
              filters: chosen ? [chosen.filter] : [],
              hide: chosen ? names.filter((name) => !chosen.shown.includes(name)) : [],
            })
          }
        />
      )}
      {set === "matched" && (
        <Beside run={run} complete={complete} only={only} choose={(only) => change({ only })} />
      )}
      <div className="mb-2 flex flex-wrap items-center gap-3">
        <SearchField text={q ?? ""} search={(text) => change({ q: text || undefined }, true)} />
        <Filters columns={columns} filters={filters} change={(next) => change({ filters: next })} />
        <ColumnMenu
          columns={columns}
          hidden={hide}
          pinned={pin}
          change={(hide, pin) => change({ hide, pin }, true)}
        />
        <div className="grow" />
        <p ref={exports} className="flex items-center gap-3 text-sm">
          <span className="text-quiet">{q || filter || only ? "Export what is found" : "Export"}</span>
          {FORMATS.map((kind) => (
            <a
              key={kind.format}
              href={as(kind)}
              title={kind.hint}
              download
              className="text-accent underline-offset-2 hover:underline"
            >
              {kind.name}
            </a>
          ))}
        </p>
      </div>
      <RowTable
        key={JSON.stringify(selection)}
        selection={selection}
        hidden={hide}
        pinned={pin}
        amounts={amounts}
        open={view.row}
        sort={(next) => change({ order: next }, true)}
        choose={(row) => change({ row }, view.row !== undefined)}
      />
      {view.row !== undefined && (
        <RowDrawer
          run={run}
          selection={selection}
          amounts={amounts}
          row={view.row}
          close={() => change({})}
        />
      )}
    </>
  );
}

/** Says what was typed once nothing more is. `/` leads to it. */
function SearchField({ text, search }: { text: string; search: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const field = useRef<HTMLInputElement>(null);
  const ask = useRef(search);
  ask.current = search;
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => ask.current(typed), 250);
    return () => clearTimeout(timer);
  }, [typed, text]);
  useKey("/", () => field.current?.focus());
  return (
    <div className="relative w-full max-w-80">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-quiet" />
      <input
        ref={field}
        type="search"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        placeholder="Search in texts (/)"
        aria-label="Search in texts"
        className="h-8 w-full rounded border border-line bg-surface pr-2 pl-8 text-sm placeholder:text-quiet"
      />
    </div>
  );
}
