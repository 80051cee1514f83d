/** The signature: two sides that meet in the middle, on one scale; what matches touches, what is open sticks out. */
import { Link } from "@tanstack/react-router";
import { Check, TriangleAlert } from "lucide-react";
import type { Complete, Run } from "../api/client";
import { count, percent } from "../format/numbers";
import type { Tab } from "../state/view";

export interface SideCounts {
  side: "left" | "right";
  name: string;
  total: number;
  matched: number;
  open: number;
  rejected: number;
}

export function sides(run: Run, complete: Complete): [SideCounts, SideCounts] {
  const name = (index: number, otherwise: string) => run.sources[index]?.alias || otherwise;
  return [
    {
      side: "left",
      name: name(0, "left"),
      total: complete.total_left,
      matched: complete.matched_left_count,
      open: complete.unmatched_left_count,
      rejected: complete.rejected_left,
    },
    {
      side: "right",
      name: name(1, "right"),
      total: complete.total_right,
      matched: complete.matched_right_count,
      open: complete.unmatched_right_count,
      rejected: complete.rejected_right,
    },
  ];
}

/** Of a list: a picture with one sentence. */
export function SmallBalance({ run, complete }: { run: Run; complete: Complete }) {
  return <Picture sides={sides(run, complete)} />;
}

export function Picture({ sides }: { sides: [SideCounts, SideCounts] }) {
  const scale = Math.max(sides[0].total, sides[1].total, 1);
  const told = sides
    .map(
      (side) =>
        `${side.name}: ${count(side.matched)} of ${count(side.total)} matched, ${count(side.open)} open`,
    )
    .join("; ");
  return (
    <div role="img" aria-label={told} title={told} className="flex h-2.5 w-full items-stretch">
      {sides.map((side) => (
        <div
          key={side.side}
          className={`flex w-1/2 ${side.side === "left" ? "justify-end" : "flex-row-reverse justify-end"}`}
        >
          <Part
            width={side.open / scale}
            className={side.side === "left" ? "bg-open-left" : "bg-open-right"}
          />
          <Part
            width={side.matched / scale}
            className={`bg-matched ${side.side === "left" ? "border-r border-surface" : "border-l border-surface"}`}
          />
        </div>
      ))}
    </div>
  );
}

function Part({ width, className }: { width: number; className: string }) {
  // Something that is there is seen.
  return width > 0 ? <span className={className} style={{ width: `max(2px, ${width * 100}%)` }} /> : null;
}

/** Of a run: every part leads to its rows. */
export function Balance({ run, complete }: { run: Run; complete: Complete }) {
  const both = sides(run, complete);
  const scale = Math.max(both[0].total, both[1].total, 1);
  return (
    <section aria-label="Balance" className="rounded-lg border border-line bg-surface p-5">
      <div className="grid grid-cols-2 text-sm">
        {both.map((side) => (
          <p key={side.side} className={`flex gap-2 ${side.side === "left" ? "" : "justify-end"}`}>
            <span className="font-semibold">{side.name}</span>
            <span className="text-quiet">{count(side.total)} rows</span>
            {side.total > 0 && (
              <span className="text-quiet">· {percent(side.matched / side.total)} matched</span>
            )}
          </p>
        ))}
      </div>
      <div className="my-3 grid grid-cols-2">
        {both.map((side) => (
          <div
            key={side.side}
            className={`flex h-12 ${side.side === "left" ? "justify-end border-r-2 border-surface" : "flex-row-reverse justify-end"}`}
          >
            <Segment run={run} side={side} scale={scale} part="open" />
            <Segment run={run} side={side} scale={scale} part="matched" />
          </div>
        ))}
      </div>
      <div className="grid gap-x-8 gap-y-1 text-sm lg:grid-cols-2">
        {both.map((side) => (
          <Equation key={side.side} side={side} />
        ))}
      </div>
    </section>
  );
}

function Segment({
  run,
  side,
  scale,
  part,
}: {
  run: Run;
  side: SideCounts;
  scale: number;
  part: "open" | "matched";
}) {
  const rows = side[part];
  if (rows === 0) return null;
  const tab: Tab = part === "matched" ? "matched" : `unmatched_${side.side}`;
  const colour = part === "matched" ? "bg-matched" : side.side === "left" ? "bg-open-left" : "bg-open-right";
  const share = rows / scale;
  return (
    <Link
      to="/runs/$id"
      params={{ id: run.run_id }}
      search={{ tab }}
      aria-label={`${side.name}: ${count(rows)} ${part}`}
      title={`${side.name}: ${count(rows)} ${part}`}
      className={`@container flex items-center overflow-hidden px-2 text-sm whitespace-nowrap text-on-fill hover:brightness-110 ${colour} ${
        side.side === "right" ? "justify-end" : ""
      }`}
      style={{ width: `max(4px, ${share * 100}%)`, padding: share < 0.04 ? 0 : undefined }}
    >
      {/* As much of it as there is room for. */}
      <span className="hidden @[1.75rem]:inline">
        {count(rows)}
        <span className="hidden @[7rem]:inline"> {part}</span>
      </span>
    </Link>
  );
}

/** The proof that no row is lost. */
function Equation({ side }: { side: SideCounts }) {
  const holds = side.matched + side.open === side.total;
  const Mark = holds ? Check : TriangleAlert;
  return (
    <p
      className={
        holds ? "flex items-center gap-2" : "flex items-center gap-2 text-xl font-semibold text-error"
      }
    >
      <Mark aria-hidden className={`size-4 shrink-0 ${holds ? "text-matched" : "text-error"}`} />
      <span>
        {side.name}: {count(side.total)} {holds ? "=" : "≠"} {count(side.matched)} matched +{" "}
        {count(side.open)} open
        {side.rejected > 0 && (
          <span className="text-error">, and {count(side.rejected)} rejected while reading</span>
        )}
      </span>
    </p>
  );
}
