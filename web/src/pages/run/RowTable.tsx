/** Rows of a result, of any number: only those in sight are fetched and drawn. */
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Column, Row } from "../../api/client";
import { page, type Selection, summary } from "../../api/runs";
import { Empty, Failed, Skeleton } from "../../components/Shown";
import { plural } from "../../format/numbers";
import { density, HEIGHTS, spread } from "../../state/density";
import { CellOf, copy, Head } from "./cells";
import { arrange, inSight, type Placed } from "./columns";
import { SPREAD, Spread } from "./Spread";
import { useAcross, useWindow } from "./scroll";

export const PAGE = 200;
const TITLE = 36;
/** Pages out of sight are forgotten after a while. */
const KEPT = 60_000;

interface Props {
  selection: Selection;
  /** Names of columns that are left out, and of those that stay in sight. */
  hidden: string[];
  pinned: string[];
  /** Columns whose whole numbers are amounts. */
  amounts: string[];
  /** Position of the row whose drawer is open. */
  open: number | undefined;
  sort: (order: string | undefined) => void;
  choose: (row: number) => void;
}

export function RowTable(props: Props) {
  const { selection } = props;
  const { data, error, refetch } = useQuery({
    ...page(selection, 0, PAGE),
    placeholderData: keepPreviousData,
  });
  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Skeleton lines={10} />;
  if (data.total === 0) {
    return selection.q || selection.filter || selection.only ? (
      <Empty title="Nothing is found">No row is what you are looking for. Ask for less.</Empty>
    ) : (
      <Empty title={selection.set === "matched" ? "Nothing matches" : "Nothing is open here"}>
        {selection.set === "matched"
          ? "Open a row of either side: it says which conditions keep it from a match."
          : "Every row of this side has found its match."}
      </Empty>
    );
  }
  return <Grid {...props} columns={data.columns} sample={data.rows} total={data.total} />;
}

function Grid({
  selection,
  hidden,
  pinned,
  amounts,
  open,
  sort,
  choose,
  columns,
  sample,
  total,
}: Props & { columns: Column[]; sample: Row[]; total: number }) {
  const box = useRef<HTMLDivElement>(null);
  const tall = HEIGHTS[density.use()];
  const spreads = spread.use() === "shown";
  const head = TITLE + (spreads ? SPREAD : 0);
  const { data: found, isError } = useQuery({ ...summary(selection), enabled: spreads });
  const seen = useWindow(box, total, head, tall);
  const [from, to] = useAcross(box);
  const [cursor, setCursor] = useState(open ?? 0);
  const rows = useRows(selection, seen.first, seen.end);
  const placed = useMemo(() => arrange(columns, sample, hidden, pinned), [columns, sample, hidden, pinned]);
  const template = placed.map(({ width }) => `minmax(${width}px, ${width}fr)`).join(" ");
  const wide = placed.reduce((sum, { width }) => sum + width, 0);
  const drawn = inSight(placed, from, to);
  const spot = (one: Placed) => ({
    gridColumn: placed.indexOf(one) + 1,
    ...(one.pinned && { position: "sticky" as const, left: one.start, zIndex: 1 }),
  });
  const { show } = seen;
  useEffect(() => {
    if (open !== undefined) {
      setCursor(open);
      show(open);
    }
  }, [open, show]);

  const move = (to: number) => {
    const row = Math.min(Math.max(0, to), total - 1);
    setCursor(row);
    show(row);
    if (open !== undefined) choose(row);
  };
  const onKey = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step !== undefined) move(cursor + step);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(total - 1);
    else if (event.key === "Enter") choose(cursor);
    else return;
    event.preventDefault();
  };

  return (
    <>
      <p className="mb-2 text-sm">
        {plural(total, "row")}
        <span className="text-xs text-quiet"> · j and k move, Enter opens, Esc closes</span>
      </p>
      <div
        ref={box}
        role="grid"
        aria-label={selection.set.replace("_", " ")}
        aria-rowcount={total + 1}
        aria-colcount={placed.length}
        aria-activedescendant={cursor >= seen.first && cursor < seen.end ? `row-${cursor}` : undefined}
        tabIndex={0}
        onKeyDown={onKey}
        onCopy={(event) => copy(event, columns, rows)}
        className="relative h-[max(20rem,calc(100dvh-12rem))] max-h-[calc(100dvh-8rem)] overflow-auto rounded-lg border border-line bg-surface text-[13px]"
        style={total * tall + head < 320 ? { height: total * tall + head + 18 } : undefined}
      >
        <div
          role="row"
          aria-rowindex={1}
          className="sticky top-0 z-10 grid border-b border-line bg-raised"
          style={{ gridTemplateColumns: template, height: head, minWidth: wide }}
        >
          {drawn.map((one) => (
            <Head
              key={one.column.name}
              column={one.column}
              order={selection.order}
              sort={sort}
              at={placed.indexOf(one) + 1}
              style={spot(one)}
            >
              {spreads && !isError && (
                <Spread
                  rows={found?.rows ?? 0}
                  summary={found?.columns.find(({ profile }) => profile?.name === one.column.name)}
                />
              )}
            </Head>
          ))}
        </div>
        <div role="rowgroup" style={{ height: seen.height, minWidth: wide }} className="relative">
          {Array.from({ length: Math.max(0, seen.end - seen.first) }, (_, index) => seen.first + index).map(
            (row) => (
              <div
                key={row}
                id={`row-${row}`}
                role="row"
                aria-rowindex={row + 2}
                aria-selected={row === open}
                onClick={() => {
                  if (getSelection()?.isCollapsed === false) return;
                  setCursor(row);
                  choose(row);
                }}
                className={`group absolute left-0 grid w-full cursor-pointer border-b border-line/60 hover:bg-raised ${
                  row === open
                    ? "bg-raised shadow-[inset_3px_0_0_var(--accent)]"
                    : row === cursor
                      ? "bg-raised"
                      : "bg-surface"
                }`}
                style={{
                  gridTemplateColumns: template,
                  height: tall,
                  transform: `translateY(${seen.place(row)}px)`,
                }}
              >
                {drawn.map((one) => (
                  <CellOf
                    key={one.column.name}
                    column={one.column}
                    amount={amounts.includes(one.column.name)}
                    row={row}
                    index={one.index}
                    at={placed.indexOf(one) + 1}
                    style={spot(one)}
                    cell={rows(row)?.[one.index]}
                  />
                ))}
              </div>
            ),
          )}
        </div>
      </div>
    </>
  );
}

/** Gives a row that is there; fetches the pages from `first` up to `end`. */
function useRows(selection: Selection, first: number, end: number): (row: number) => Row | undefined {
  const from = Math.floor(first / PAGE);
  const pages = Array.from({ length: Math.max(1, Math.ceil(end / PAGE) - from) }, (_, index) => from + index);
  const results = useQueries({
    queries: pages.map((index) => ({ ...page(selection, index * PAGE, PAGE), gcTime: KEPT })),
  });
  return (row) => results[Math.floor(row / PAGE) - from]?.data?.rows[row % PAGE];
}
