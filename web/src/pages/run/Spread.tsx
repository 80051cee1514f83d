/** What is in a column, small enough for the head of a table. */
import type { ColumnSummary } from "../../api/client";
import { shown } from "../../format/cells";
import { count, percent } from "../../format/numbers";

export const SPREAD = 44;
const BARS = 18;

export function Spread({ summary, rows }: { summary: ColumnSummary | undefined; rows: number }) {
  const profile = summary?.profile;
  if (!summary || !profile) return <div className="mx-3 h-4 animate-pulse rounded bg-line" />;
  const empty = profile.nulls > 0 ? `, ${percent(profile.nulls / Math.max(rows, 1))} without a value` : "";
  const different = `${profile.distinct_exact ? "" : "about "}${count(profile.distinct)} different`;
  const edge = (value: string | undefined) => (value === undefined ? "" : shown(value, profile.type));
  const range = `${edge(profile.min)} to ${edge(profile.max)}`;
  const top = summary.top[0];
  const caption =
    summary.histogram.length > 0
      ? range
      : top && profile.distinct <= summary.top.length
        ? `${top.value} ${percent(top.rows / Math.max(rows, 1))}`
        : different;
  const told = `${profile.name}: ${summary.histogram.length > 0 ? range : different}${empty}`;
  return (
    <div title={told} className="grid gap-0.5 px-3 text-[10px] font-normal text-quiet">
      <Bars summary={summary} told={told} rows={rows} />
      <span className="truncate">
        {caption}
        {profile.nulls > 0 && empty}
      </span>
    </div>
  );
}

/** Of numbers and times how many lie where; of kinds how many there are of each; of everything else how much there is. */
function Bars({ summary, told, rows }: { summary: ColumnSummary; told: string; rows: number }) {
  const bins = summary.histogram.length > 0 ? summary.histogram : summary.top;
  const most = Math.max(...bins.map((bin) => bin.rows), 1);
  if (bins.length === 0) {
    const filled = 1 - (summary.profile?.nulls ?? 0) / Math.max(rows, 1);
    return (
      <span role="img" aria-label={told} className="my-[7px] block h-1 rounded bg-line">
        <span className="block h-full rounded bg-accent" style={{ width: `${filled * 100}%` }} />
      </span>
    );
  }
  return (
    <span role="img" aria-label={told} className="flex items-end gap-px" style={{ height: BARS }}>
      {bins.map((bin) => (
        <span
          key={"low" in bin ? bin.low : bin.value}
          className="min-w-0 grow rounded-t-[1px] bg-accent/70"
          style={{ height: bin.rows === 0 ? 0 : Math.max(1, (bin.rows / most) * BARS) }}
        />
      ))}
    </span>
  );
}
