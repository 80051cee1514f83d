/** A few rows, as a table. */
import type { Row } from "../api/client";
import { decimal } from "../format/numbers";
import { isNumber } from "../format/types";

interface Props {
  name: string;
  columns: { name: string; type?: string }[];
  rows: Row[];
  /** Whether types are shown. */
  types?: boolean;
}

export function Sample({ name, columns, rows, types = false }: Props) {
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
                {column.name}
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
                    ) : isNumber(column.type ?? "") ? (
                      decimal(cell)
                    ) : (
                      cell
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
