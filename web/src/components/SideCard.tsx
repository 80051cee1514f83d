/** One side: a place for a file, and what is in it. */
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { FileUp, X } from "lucide-react";
import { useId, useRef } from "react";
import { type SideRows, SOURCE, sources as sourcesQuery } from "../api/sources";
import { bytes, count } from "../format/numbers";
import { Button } from "./Button";
import { Quoted } from "./Quoted";
import { Sample, type SampleProps } from "./Sample";
import { Failed, Skeleton } from "./Shown";
import type { SideName, SideState } from "./uploads";

interface Props {
  side: SideName;
  state: SideState;
  found: UseQueryResult<SideRows>;
  take: (files: File[]) => void;
  drop: () => void;
  /** What stands for no value in it, beside nothing. */
  nulls?: string[] | undefined;
  /** Reads it again with other such values, where that may be said. */
  read?: (nulls: string[]) => void;
  /** Columns to be taken for conditions, and what became of them. */
  picking?: Pick<SampleProps, "pick" | "picked" | "part">;
  /** Takes a registered source, where one may be taken. */
  choose?: (id: string) => void;
}

const SHOWN = 5;

export function SideCard({ side, state, found, take, drop, nulls, read, picking, choose }: Props) {
  const { data, error, isLoading } = found;
  return (
    <section aria-label={side === "left" ? "Left side" : "Right side"} className="min-w-0">
      {state.is === "coming" ? (
        <Coming state={state} />
      ) : data ? (
        <Found rows={data} drop={drop} nulls={nulls} read={read} picking={picking} />
      ) : isLoading ? (
        <Skeleton lines={4} />
      ) : (
        <Place side={side} take={take} choose={choose} />
      )}
      {state.is === "failed" && (
        <div className="mt-2">
          <Failed error={state.error} />
        </div>
      )}
      {error && (
        <div className="mt-2">
          <Failed error={error} />
        </div>
      )}
    </section>
  );
}

function Place({ side, take, choose }: Pick<Props, "side" | "take" | "choose">) {
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  return (
    <div className="grid h-44 place-content-center justify-items-center gap-3 rounded-lg border-2 border-dashed border-line bg-surface px-4 text-center">
      <FileUp aria-hidden className="size-6 text-quiet" />
      <label htmlFor={id} className="text-sm text-quiet">
        Drop {side === "left" ? "a file, or both," : "the other file"} anywhere: CSV, TSV, NDJSON or Parquet
      </label>
      <input
        ref={field}
        id={id}
        type="file"
        className="sr-only"
        tabIndex={-1}
        multiple={side === "left"}
        onChange={(event) => take([...(event.target.files ?? [])])}
      />
      <div className="flex flex-wrap justify-center gap-2">
        <Button onClick={() => field.current?.click()}>Choose a file</Button>
        {choose && <Registered side={side} choose={choose} />}
      </div>
    </div>
  );
}

function Registered({ side, choose }: { side: SideName; choose: (id: string) => void }) {
  const { data } = useQuery(sourcesQuery());
  if (!data || data.sources.length === 0) return null;
  return (
    <select
      aria-label={`Take a source for the ${side} side`}
      value=""
      onChange={(event) => choose(SOURCE + event.target.value)}
      className="h-8 rounded border border-line bg-surface px-2 text-sm"
    >
      <option value="">or take a source</option>
      {data.sources.map((source) => (
        <option key={source.alias} value={source.alias}>
          {source.alias}
        </option>
      ))}
    </select>
  );
}

function Coming({ state }: { state: Extract<SideState, { is: "coming" }> }) {
  return (
    <div className="grid h-44 content-center gap-3 rounded-lg border border-line bg-surface px-6 text-sm">
      <p className="truncate font-semibold">{state.name}</p>
      <progress
        aria-label={`${state.name} is on its way`}
        max={1}
        value={state.share}
        className="h-2 w-full accent-accent"
      />
      <Button className="justify-self-start" onClick={state.stop}>
        Stop
      </Button>
    </div>
  );
}

function Found({
  rows: { name, upload, preview },
  drop,
  nulls = [],
  read,
  picking,
}: { rows: SideRows } & Pick<Props, "drop" | "nulls" | "read" | "picking">) {
  const notes = preview.columns.filter((column) => column.note);
  return (
    <div className="rounded-lg border border-line bg-surface">
      <header className="flex items-center gap-3 border-b border-line px-4 py-2 text-sm">
        <h3 className="truncate">{name}</h3>
        <span className="whitespace-nowrap text-quiet">
          {preview.total !== undefined && `${count(preview.total)} rows · `}
          {upload ? bytes(upload.bytes) : "registered source"}
        </span>
        <span className="grow" />
        <button
          type="button"
          onClick={drop}
          aria-label={`Take ${name} away`}
          className="rounded p-1 text-quiet hover:bg-raised"
        >
          <X aria-hidden className="size-4" />
        </button>
      </header>
      <Sample name={name} columns={preview.columns} rows={preview.rows.slice(0, SHOWN)} types {...picking} />
      {(notes.length > 0 || nulls.length > 0) && (
        <ul className="grid gap-1 border-t border-line px-4 py-2 text-xs text-quiet">
          {notes.map(({ name: column, note = "" }) => {
            const odd = oddValue(note);
            return (
              <li key={column} className="flex flex-wrap items-center gap-2">
                <span>
                  <code className="font-mono">{column}</code>: <Quoted text={note} />
                </span>
                {odd !== undefined && read && (
                  <Button className="h-6 px-2 text-xs" onClick={() => read([...nulls, odd])}>
                    Treat {odd} as empty
                  </Button>
                )}
              </li>
            );
          })}
          {read &&
            nulls.map((value) => (
              <li key={value} className="flex flex-wrap items-center gap-2">
                <span>
                  <code className="font-mono">{value}</code> is read as empty
                </span>
                <Button
                  className="h-6 px-2 text-xs"
                  onClick={() => read(nulls.filter((other) => other !== value))}
                >
                  Undo
                </Button>
              </li>
            ))}
        </ul>
      )}
    </div>
  );
}

/** The value that makes a column text, where it is one that may stand for none. */
function oddValue(note: string): string | undefined {
  const value = /^text because of `([^`…]+)` in line \d+/.exec(note)?.[1];
  return value && !/\d/.test(value) ? value : undefined;
}
