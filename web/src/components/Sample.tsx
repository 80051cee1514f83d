/** A few rows, as a table. */
import type { Row } from "../api/client";
import { shown } from "../format/cells";
import { isNumber } from "../format/types";

export interface SampleProps {
  name: string;
  columns: { name: string; type?: string }[];
  rows: Row[];
  /** Whether types are shown. */
  types?: boolean;
  /** Takes a column, where columns may be taken. */
  pick?: ((column: string) => void) | undefined;
  /** The column that is taken, and the numbers of the conditions that each is part of. */
  picked?: string | undefined;
  part?: Record<string, number[]> | undefined;
}

export function Sample({ name, columns, rows, types = false, pick, picked, part = {} }: SampleProps) {
  const right = (type?: string) => (isNumber(type ?? "") ? "text-right" : "text-left");
  return (
    <section aria-label={`Rows of ${name}`} tabIndex={0} className="overflow-x-auto text-[13px]">
      <table className="w-full">
        <thead>
          <tr className="bg-raised">
            {columns.map((column) => (
              <th
                key={column.name}
                className={`px-3 py-1.5 font-semibold whitespace-nowrap ${right(column.type)}`}
              >
                {pick ? (
                  <button
                    type="button"
                    aria-pressed={column.name === picked}
                    title={`Take ${column.name} for a condition`}
                    onClick={() => pick(column.name)}
                    className={`-mx-1 rounded px-1 hover:text-accent ${column.name === picked ? "bg-accent text-on-fill hover:text-on-fill" : ""}`}
                  >
                    {column.name}
                  </button>
                ) : (
                  column.name
                )}
                {part[column.name]?.map((number) => (
                  <span
                    key={number}
                    title={`Part of condition ${number}`}
                    className="ml-1 inline-grid size-4 place-items-center rounded-full bg-matched text-[10px] text-on-fill"
                  >
                    {number}
                  </span>
                ))}
                {types && <span className="block text-xs font-normal text-quiet">{column.type}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name
            <tr key={index} className="border-t border-line/60">
              {columns.map((column, at) => {
                const cell = row[at];
                return (
                  <td
                    key={column.name}
                    title={cell ?? undefined}
                    className={`max-w-56 truncate px-3 py-1.5 whitespace-nowrap ${right(column.type)}`}
                  >
                    {cell === null || cell === undefined ? (
                      <span className="text-quiet">–</span>
                    ) : (
                      shown(cell, column.type ?? "")
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
