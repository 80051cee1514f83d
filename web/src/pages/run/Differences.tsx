/** What the columns of rows that match differ in: one line each, and by a click the rows that differ in it, side by side. */
import { useQuery } from "@tanstack/react-query";
import type { ColumnDifferences, Differences as Found, Run } from "../../api/client";
import { manifest } from "../../api/runs";
import { Failed, Skeleton } from "../../components/Shown";
import { count, decimal, percent, plural } from "../../format/numbers";
import type { Filter } from "../../state/filters";
import { DIFFERS, differing, differsIn, ordered, shownWith } from "./differing";

interface Props {
  run: Run;
  left: string;
  right: string;
  filters: Filter[];
  /** Shows the matches that differ in a column, and of them just these columns; all of them again, without one. */
  choose: (column?: { filter: Filter; shown: string[] }) => void;
}

export function Differences({ run, left, right, filters, choose }: Props) {
  const { data, error, refetch } = useQuery(manifest(run.run_id));
  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Skeleton lines={4} />;
  const found = data.differences;
  if (!found) return null;
  return (
    <section aria-label="Compared columns" className="mb-4">
      <p className="mb-2 text-sm">{told(found)}</p>
      <div className="overflow-x-auto rounded-lg border border-line bg-surface">
        <table className="w-full text-[13px]">
          <thead>
            <tr className="bg-raised text-right">
              <th className="px-3 py-1.5 text-left font-semibold">Column</th>
              <th className="w-1/4 px-3 py-1.5 text-left font-semibold">Matches</th>
              {["Equal", "Within", "Different", `Not in ${left}`, `Not in ${right}`, "At most apart"].map(
                (title) => (
                  <th key={title} className="px-3 py-1.5 font-semibold whitespace-nowrap">
                    {title}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {ordered(found.columns).map((column) => (
              <Line
                key={`${column.left} ${column.right}`}
                column={column}
                matches={found.matches}
                chosen={differsIn(filters) === column.left}
                choose={(on) =>
                  choose(
                    on
                      ? {
                          filter: { column: DIFFERS, op: "contains", value: column.left },
                          shown: shownWith(found, column),
                        }
                      : undefined,
                  )
                }
              />
            ))}
          </tbody>
        </table>
      </div>
      <Schemas found={found} left={left} right={right} />
    </section>
  );
}

function told({ matches, differing, columns }: Found): string {
  return differing === 0
    ? `${plural(columns.length, "column")} compared in ${plural(matches, "match", "matches")}: none differs.`
    : `${plural(differing, "match", "matches")} of ${count(matches)} (${percent(differing / matches)}) with values that differ.`;
}

function Line({
  column,
  matches,
  chosen,
  choose,
}: {
  column: ColumnDifferences;
  matches: number;
  chosen: boolean;
  choose: (on: boolean) => void;
}) {
  const { equal, within, different, missing_left, missing_right, allowed, largest } = column;
  const name = column.left === column.right ? column.left : `${column.left} = ${column.right}`;
  const differs = differing(column) > 0;
  const cell = "px-3 py-1.5 text-right tabular-nums whitespace-nowrap";
  const number = (value: number, red = false) => (
    <td className={`${cell} ${value === 0 ? "text-quiet" : red ? "font-semibold text-error" : ""}`}>
      {count(value)}
    </td>
  );
  return (
    <tr className={`border-t border-line/60 ${chosen ? "bg-raised" : ""}`}>
      <td className="px-3 py-1.5 whitespace-nowrap">
        {differs ? (
          <button
            type="button"
            aria-pressed={chosen}
            title={chosen ? "Show all matches again" : "Show the matches that differ in it, side by side"}
            onClick={() => choose(!chosen)}
            className="font-semibold text-accent underline-offset-2 hover:underline"
          >
            {name}
          </button>
        ) : (
          name
        )}
      </td>
      <td className="px-3 py-1.5">
        <Bar
          parts={[
            { rows: equal, className: "bg-matched" },
            { rows: within, className: "bg-matched/50" },
            { rows: different, className: "bg-error" },
            { rows: missing_left, className: "bg-open-left" },
            { rows: missing_right, className: "bg-open-right" },
          ]}
          all={matches}
        />
      </td>
      {number(equal)}
      <td className={`${cell} ${within === 0 ? "text-quiet" : ""}`} title={allowed && `within ${allowed}`}>
        {allowed === undefined ? "" : count(within)}
      </td>
      {number(different, true)}
      {number(missing_left, true)}
      {number(missing_right, true)}
      <td className={cell}>{largest && decimal(largest)}</td>
    </tr>
  );
}

function Bar({ parts, all }: { parts: { rows: number; className: string }[]; all: number }) {
  return (
    <div aria-hidden className="flex h-2 min-w-24 items-stretch">
      {parts.map(({ rows, className }) =>
        // Something that is there is seen.
        rows > 0 ? (
          <span key={className} className={className} style={{ width: `max(2px, ${(rows / all) * 100}%)` }} />
        ) : null,
      )}
    </div>
  );
}

/** What is to be said of the columns as such. */
function Schemas({ found, left, right }: { found: Found; left: string; right: string }) {
  const other = found.columns.filter(({ left_type, right_type }) => left_type !== right_type);
  const lines = [
    found.only_left.length > 0 && `Only in ${left}: ${found.only_left.join(", ")}.`,
    found.only_right.length > 0 && `Only in ${right}: ${found.only_right.join(", ")}.`,
    other.length > 0 &&
      `Of another type: ${other.map((c) => `${c.left} (${c.left_type}, ${c.right_type})`).join("; ")}.`,
    found.reordered && `The columns of ${right} stand in another order.`,
  ].filter((line) => line !== false);
  if (lines.length === 0) return null;
  return (
    <ul className="mt-2 grid gap-1 text-sm text-quiet">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
