/** What is open of each side, in rows and in amounts. */
import type { Complete, Finding, Money } from "../api/client";
import { count, decimal } from "../format/numbers";
import { currencyName } from "./sums";

export function Open({ names, complete }: { names: [string, string]; complete: Complete }) {
  const sides = [
    { kind: "unmatched_left", rows: complete.unmatched_left_count, colour: "text-open-left" },
    { kind: "unmatched_right", rows: complete.unmatched_right_count, colour: "text-open-right" },
  ] as const;
  if (sides.every(({ rows }) => rows === 0)) return <span className="text-quiet">none</span>;
  return (
    <span className="inline-grid gap-x-3 xl:grid-cols-[auto_auto] text-right whitespace-nowrap">
      {sides.map(({ kind, rows, colour }, index) => (
        <span key={kind} title={`open in ${names[index]}`} className={rows > 0 ? colour : "text-quiet"}>
          {count(rows)}
          <span className="sr-only"> open in {names[index]}</span>
          <Worth amounts={complete.verdict?.findings.find((finding) => finding.kind === kind)?.amounts} />
        </span>
      ))}
    </span>
  );
}

/** In the first currency; others are named when one points at them. */
function Worth({ amounts = [] }: { amounts?: Finding["amounts"] | undefined }) {
  const [first, ...more] = amounts;
  if (!first) return null;
  return (
    <span className="block text-xs" title={amounts.map(told).join(", ")}>
      {told(first)}
      {more.length > 0 && <span className="text-quiet"> +{more.length}</span>}
    </span>
  );
}

function told({ amount, currency }: Money): string {
  return currency === undefined ? decimal(amount) : `${decimal(amount)} ${currencyName(currency)}`;
}
