/** Heads and cells of a table of rows. */
import { ArrowDown, ArrowUp } from "lucide-react";
import type { ClipboardEvent, CSSProperties, ReactNode } from "react";
import type { Cell, Column, Row } from "../../api/client";
import { shown } from "../../format/cells";
import { isNumber } from "../../format/types";
import { direction, turned } from "../../state/view";

export function Head({
  column,
  order,
  sort,
  at,
  style,
  children,
}: {
  column: Column;
  order: string | undefined;
  sort: (order: string | undefined) => void;
  /** Its place among those that are shown, counted from 1. */
  at: number;
  style: CSSProperties;
  children: ReactNode;
}) {
  const now = direction(order, column.name);
  const Arrow = now === "descending" ? ArrowDown : ArrowUp;
  return (
    <div role="columnheader" aria-colindex={at} aria-sort={now} style={style} className="min-w-0 bg-raised">
      <button
        type="button"
        tabIndex={-1}
        onClick={() => sort(turned(order, column.name))}
        title={`${column.name}: ${column.type}. Click to sort.`}
        className={`flex h-9 w-full items-center gap-1 px-3 font-semibold ${isNumber(column.type) ? "justify-end" : ""}`}
      >
        <span className="truncate">{column.name}</span>
        {now !== "none" && <Arrow aria-hidden className="size-3.5 shrink-0" />}
      </button>
      {children}
    </div>
  );
}

export function CellOf({
  column,
  row,
  index,
  at,
  style,
  cell,
  amount,
}: {
  column: Column;
  /** Whether whole numbers in it are amounts. */
  amount: boolean;
  row: number;
  index: number;
  at: number;
  style: CSSProperties;
  cell: Cell | undefined;
}) {
  const numeric = isNumber(column.type);
  return (
    <div
      role="gridcell"
      aria-colindex={at}
      data-row={row}
      data-column={index}
      title={cell ?? undefined}
      style={style}
      className={`flex min-w-0 items-center bg-inherit px-3 ${numeric ? "justify-end" : ""}`}
    >
      {cell === undefined ? (
        <span className="h-3 w-2/3 rounded bg-raised" />
      ) : cell === null ? (
        <span className="text-quiet">–</span>
      ) : (
        <span className="truncate">{shown(cell, column.type, amount)}</span>
      )}
    </div>
  );
}

/** What is copied from one cell is its value, not what it looks like. */
export function copy(event: ClipboardEvent, columns: Column[], rows: (row: number) => Row | undefined) {
  const selected = getSelection();
  const cell = (node: Node | null | undefined) =>
    (node instanceof Element ? node : node?.parentElement)?.closest<HTMLElement>("[data-row]");
  const from = cell(selected?.anchorNode);
  if (!from || from !== cell(selected?.focusNode)) return;
  const column = columns[Number(from.dataset.column)];
  const value = rows(Number(from.dataset.row))?.[Number(from.dataset.column)];
  if (!column || !isNumber(column.type) || selected?.toString() !== from.textContent) return;
  event.clipboardData.setData("text/plain", value ?? "");
  event.preventDefault();
}
