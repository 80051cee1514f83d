/** One row by itself; of an open one, why it matches nothing. */
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import type { Cell, Column, Run } from "../../api/client";
import { page, type Selection, type Side } from "../../api/runs";
import { Failed, Skeleton } from "../../components/Shown";
import { shown } from "../../format/cells";
import { count } from "../../format/numbers";
import { Matched } from "./Matched";
import { PAGE } from "./RowTable";
import { Why } from "./Why";

export function RowDrawer({
  run,
  selection,
  amounts,
  row,
  close,
}: {
  run: Run;
  selection: Selection;
  /** Columns whose whole numbers are amounts. */
  amounts: string[];
  row: number;
  close: () => void;
}) {
  const offset = Math.floor(row / PAGE) * PAGE;
  const { data, error } = useQuery(page(selection, offset, PAGE));
  const cells = data?.rows[row - offset];
  const side = sideOf(selection);
  const number =
    cells && data ? cells[data.columns.findIndex((column) => column.name === "_row")] : undefined;
  const alias = side && run.sources[side === "left" ? 0 : 1]?.alias;
  return (
    <Dialog.Root open modal={false} onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Content
          aria-describedby={undefined}
          onInteractOutside={(event) => event.preventDefault()}
          onOpenAutoFocus={(event) => event.preventDefault()}
          className={`fixed inset-y-0 right-0 z-20 flex w-full ${selection.set === "matched" ? "max-w-2xl" : "max-w-lg"} flex-col border-l border-line bg-surface shadow-xl`}
        >
          <div className="flex items-center gap-3 border-b border-line px-5 py-3">
            <Dialog.Title className="grow text-base">
              {side ? `Open in ${alias ?? side}` : "Match"}
              {number && (
                <span className="ml-2 text-sm font-normal text-quiet">row {count(Number(number))}</span>
              )}
            </Dialog.Title>
            <Dialog.Close aria-label="Close" className="rounded p-1.5 text-quiet hover:bg-raised">
              <X aria-hidden className="size-4" />
            </Dialog.Close>
          </div>
          <div
            tabIndex={0}
            className="grid grow grid-cols-[minmax(0,1fr)] content-start gap-5 overflow-auto px-5 py-4 text-sm"
          >
            {error && <Failed error={error} />}
            {!data && !error && <Skeleton lines={6} height={20} />}
            {data && !cells && <p>There is no such row any more: search and order may have changed.</p>}
            {data && cells && selection.set === "matched" && (
              <Matched run={run} columns={data.columns} cells={cells} />
            )}
            {data && cells && (
              <Fields
                columns={data.columns}
                cells={cells}
                amounts={amounts}
                told={selection.set === "matched"}
              />
            )}
            {side && number && <Why run={run} side={side} row={Number(number)} />}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function sideOf(selection: Selection): Side | undefined {
  if (selection.set === "unmatched_left") return "left";
  return selection.set === "unmatched_right" ? "right" : undefined;
}

/** `told`: whether rows of the sources stand above, so that it is said whose row this is. */
function Fields({
  columns,
  cells,
  amounts,
  told,
}: {
  columns: Column[];
  cells: Cell[];
  amounts: string[];
  told: boolean;
}) {
  return (
    <section aria-label="Row">
      {told && <h3 className="mb-2">As the SQL gives it</h3>}
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
        {columns.map((column, index) => {
          const cell = cells[index];
          if (column.name === "_row") return null;
          return (
            <div key={column.name} className="contents">
              <dt className="text-quiet">{column.name}</dt>
              <dd className="break-words">
                {cell === null || cell === undefined ? (
                  <span className="text-quiet">no value</span>
                ) : (
                  shown(cell, column.type, amounts.includes(column.name))
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
