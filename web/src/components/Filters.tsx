/** Which rows of a table are shown: what was chosen, each to be taken away, and one more. */
import { ListFilter, X } from "lucide-react";
import { useId, useState } from "react";
import type { Column } from "../api/client";
import { isNumber } from "../format/types";
import { type Filter, NAMES, type Op, ops, wantsValue, words } from "../state/filters";
import { Button } from "./Button";

interface Props {
  columns: Column[];
  filters: Filter[];
  change: (filters: Filter[]) => void;
}

const FIELD = "h-8 rounded border border-line bg-surface px-2 text-sm";

export function Filters({ columns, filters, change }: Props) {
  const [adding, setAdding] = useState(false);
  return (
    <>
      {filters.map((filter, index) => (
        <span
          key={words(filter)}
          className="inline-flex h-8 items-center gap-1 rounded bg-raised pr-1 pl-3 text-sm"
        >
          {words(filter)}
          <button
            type="button"
            aria-label={`Take away: ${words(filter)}`}
            onClick={() => change(filters.filter((_, at) => at !== index))}
            className="rounded p-1 text-quiet hover:text-ink"
          >
            <X aria-hidden className="size-3.5" />
          </button>
        </span>
      ))}
      <Button aria-expanded={adding} onClick={() => setAdding(!adding)} disabled={columns.length === 0}>
        <ListFilter aria-hidden className="size-4" />
        Filter
      </Button>
      {adding && (
        <One
          columns={columns}
          add={(filter) => {
            setAdding(false);
            if (!filters.some((known) => words(known) === words(filter))) change([...filters, filter]);
          }}
        />
      )}
    </>
  );
}

function One({ columns, add }: { columns: Column[]; add: (filter: Filter) => void }) {
  const id = useId();
  const [name, setName] = useState(columns[0]?.name ?? "");
  const type = columns.find((column) => column.name === name)?.type ?? "text";
  const possible = ops(type);
  const [chosen, setOp] = useState<Op>();
  const op = chosen && possible.includes(chosen) ? chosen : (possible[0] ?? "eq");
  const [value, setValue] = useState("");
  return (
    <form
      aria-label="Filter"
      className="order-last flex w-full flex-wrap items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        add({ column: name, op, ...(wantsValue(op) && { value: value.trim() }) });
      }}
    >
      <select
        aria-label="Column"
        value={name}
        onChange={(event) => setName(event.target.value)}
        className={FIELD}
      >
        {columns.map((column) => (
          <option key={column.name}>{column.name}</option>
        ))}
      </select>
      <select
        aria-label="What it is"
        value={op}
        onChange={(event) => setOp(event.target.value as Op)}
        className={FIELD}
      >
        {possible.map((one) => (
          <option key={one} value={one}>
            {NAMES[one]}
          </option>
        ))}
      </select>
      {wantsValue(op) && (
        <input
          id={id}
          aria-label="Value"
          required
          type={type === "date" ? "date" : "text"}
          inputMode={isNumber(type) ? "decimal" : undefined}
          value={value}
          onChange={(event) => setValue(event.target.value)}
          className={`${FIELD} w-44`}
        />
      )}
      <Button type="submit">Apply</Button>
    </form>
  );
}
