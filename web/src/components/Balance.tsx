/** The signature: two sides that meet in the middle, on one scale; what matches touches, what is open sticks out. */
import type { Complete, Run } from "../api/client";
import { count } from "../format/numbers";

export interface SideCounts {
  side: "left" | "right";
  name: string;
  total: number;
  matched: number;
  open: number;
  rejected: number;
}

/** What the sides of a run are called. */
export function aliases(run: Run): [string, string] {
  return [run.sources[0]?.alias || "left", run.sources[1]?.alias || "right"];
}

export function sides(run: Run, complete: Complete): [SideCounts, SideCounts] {
  const [left, right] = aliases(run);
  return [
    {
      side: "left",
      name: left,
      total: complete.total_left,
      matched: complete.matched_left_count,
      open: complete.unmatched_left_count,
      rejected: complete.rejected_left,
    },
    {
      side: "right",
      name: right,
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
