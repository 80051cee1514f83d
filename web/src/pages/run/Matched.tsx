/** The rows behind a match: two of them field by field, more of them as tables. */
import { useQuery } from "@tanstack/react-query";
import { Check, EqualNot } from "lucide-react";
import type { Cell, Column, ReadSourceRowsResponse, Run } from "../../api/client";
import { type Side, sourceRows } from "../../api/runs";
import { Sample } from "../../components/Sample";
import { Skeleton } from "../../components/Shown";
import { shown } from "../../format/cells";
import { count, plural } from "../../format/numbers";
import { align, type Field, type Line, numbers } from "./pairing";
import { Unread } from "./Unread";

/** Rows of a group that are shown; more belong into a table of their own. */
const MOST = 50;

export function Matched({ run, columns, cells }: { run: Run; columns: Column[]; cells: Cell[] }) {
  const at = (name: string) => numbers(cells[columns.findIndex((column) => column.name === name)]);
  const [left, right] = [at("_left_row"), at("_right_row")];
  const read = (side: Side, rows: number[]) => sourceRows(run.run_id, side, rows.slice(0, MOST).join());
  const lefts = useQuery(read("left", left));
  const rights = useQuery(read("right", right));
  if (left.length === 0 && right.length === 0) return null;
  const failed = [lefts, rights].find((query) => query.error);
  if (failed?.error) return <Unread error={failed.error} again={() => void failed.refetch()} />;
  if ((left.length > 0 && !lefts.data) || (right.length > 0 && !rights.data))
    return <Skeleton lines={6} height={20} />;
  const [l, r] = [lefts.data, rights.data];
  return (
    <section aria-label="Rows that match">
      {l && r && left.length === 1 && right.length === 1 ? (
        <Both run={run} lines={align(fields(l), fields(r))} numbers={[left[0] ?? 0, right[0] ?? 0]} />
      ) : (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
          {l && <Some name={run.sources[0]?.alias ?? "left"} of={left.length} rows={l} />}
          {r && <Some name={run.sources[1]?.alias ?? "right"} of={right.length} rows={r} />}
        </div>
      )}
    </section>
  );
}

function fields({ columns, rows }: ReadSourceRowsResponse): Field[] {
  return columns.map((column, index) => ({ column, cell: rows[0]?.[index] ?? null }));
}

function Both({ run, lines, numbers }: { run: Run; lines: Line[]; numbers: [number, number] }) {
  return (
    <table className="w-full table-fixed">
      <thead className="text-left">
        <tr>
          {numbers.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: there are two sides
            <th key={index} className="pr-3 pb-2 font-semibold">
              {run.sources[index]?.alias}
              <span className="ml-2 font-normal text-quiet">row {count(row)}</span>
            </th>
          ))}
          <th className="w-36 pb-2 font-normal text-quiet">apart</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ left, right, paired, apart }) => (
          <tr
            key={`${left?.column.name} ${right?.column.name}`}
            className={`border-t border-line/60 align-top ${apart ? "" : "text-quiet"}`}
          >
            <Value field={left} />
            <Value field={right} />
            <td className="py-1.5">
              {apart ? (
                <span className="flex items-center gap-1.5 font-semibold text-error">
                  <EqualNot aria-hidden className="size-3.5 shrink-0" />
                  {apart}
                </span>
              ) : paired ? (
                <Check role="img" aria-label="equal" className="mt-0.5 size-4 text-matched" />
              ) : null}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ field }: { field: Field | undefined }) {
  if (!field) return <td />;
  const { column, cell } = field;
  return (
    <td className="py-1.5 pr-3">
      <span className="block text-xs text-quiet">{column.name}</span>
      <span className="break-words">{cell === null ? "no value" : shown(cell, column.type)}</span>
    </td>
  );
}

function Some({ name, of, rows }: { name: string; of: number; rows: ReadSourceRowsResponse }) {
  return (
    <div>
      <h3 className="mb-1">
        {plural(of, "row")} of {name}
        {of > rows.rows.length && <span className="font-normal text-quiet">, the first {MOST} of them</span>}
      </h3>
      <div className="rounded border border-line">
        <Sample name={name} columns={rows.columns} rows={rows.rows} />
      </div>
    </div>
  );
}
