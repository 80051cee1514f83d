/** What the conditions give, tried on a sample: how much matches, which condition loses pairs, and rows to look at. */
import { useQuery } from "@tanstack/react-query";
import type { CreateRunRequest, DryRunJobResponse, Funnel, RecipeSources } from "../../api/client";
import { tried } from "../../api/recipes";
import { Picture, type SideCounts } from "../../components/Balance";
import { Sample } from "../../components/Sample";
import { Failed, Skeleton } from "../../components/Shown";
import { count, percent } from "../../format/numbers";
import { useSettled } from "../../state/settled";
import { MoreThanOnce } from "./MoreThanOnce";
import { SETTLED } from "./plan";

export function OutcomeBand({
  request,
  names,
}: {
  request: CreateRunRequest;
  names: RecipeSources | undefined;
}) {
  const asked = useSettled(request, SETTLED);
  const { data, error, isFetching, refetch } = useQuery(tried(asked));
  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Skeleton lines={4} height={40} />;
  const [left, right] = [names?.left?.alias ?? "left", names?.right?.alias ?? "right"];
  const sides = counts(data, left, right);
  return (
    <div
      aria-busy={isFetching}
      className={`grid grid-cols-[minmax(0,1fr)] gap-4 rounded-lg border border-line bg-surface p-4 text-sm ${isFetching ? "opacity-60" : ""}`}
    >
      <div className="flex justify-between">
        {sides.map((side) => (
          <p key={side.side}>
            <strong>{side.name}</strong>: {count(side.matched)} of {count(side.total)} match
            {side.total > 0 && ` (${percent(side.matched / side.total)})`}
          </p>
        ))}
      </div>
      <Picture sides={sides} />
      <MoreThanOnce found={data} left={left} right={right} />
      <p className="text-quiet">
        {data.sample_left < data.rows_left || data.sample_right < data.rows_right
          ? `Tried on a sample: ${count(data.sample_left)} of ${count(data.rows_left)} rows and ${count(data.sample_right)} of ${count(data.rows_right)}${data.key ? `, chosen by ${data.key}` : ""}.`
          : "Tried on all rows."}
        {data.rejected_left + data.rejected_right > 0 &&
          ` ${count(data.rejected_left + data.rejected_right)} rows cannot be read.`}
      </p>
      {data.funnels.map((funnel, index) => (
        <Steps key={funnel.name ?? index} funnel={funnel} />
      ))}
      <Examples data={data} left={left} right={right} />
    </div>
  );
}

function counts(data: DryRunJobResponse, left: string, right: string): [SideCounts, SideCounts] {
  const side = (side: "left" | "right", name: string, total: number, matched: number): SideCounts => ({
    side,
    name,
    total,
    matched,
    open: total - matched,
    rejected: 0,
  });
  return [
    side("left", left, data.sample_left, data.matched_left_count),
    side("right", right, data.sample_right, data.matched_right_count),
  ];
}

/** How pairs of rows become fewer, from condition to condition. */
function Steps({ funnel }: { funnel: Funnel }) {
  const most = Math.max(...funnel.steps.map((step) => step.pairs), 1);
  return (
    <div>
      <h3 className="mb-1 text-quiet">Pairs of rows that are left after each condition</h3>
      <ol className="grid gap-1">
        {funnel.steps.map((step) => (
          <li
            key={step.condition}
            className="grid grid-cols-[minmax(0,2fr)_minmax(0,3fr)_5rem] items-center gap-3"
          >
            <code className="truncate font-mono text-xs" title={step.condition}>
              {step.condition}
            </code>
            <span className="h-2 rounded bg-matched" style={{ width: `${(step.pairs / most) * 100}%` }} />
            <span className="text-right">{count(step.pairs)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Examples({ data, left, right }: { data: DryRunJobResponse; left: string; right: string }) {
  const parts = [
    { name: "Matches", example: data.matched },
    { name: `Open in ${left}`, example: data.unmatched_left },
    { name: `Open in ${right}`, example: data.unmatched_right },
  ].filter(({ example }) => example && example.rows.length > 0);
  return parts.map(({ name, example }) => (
    <details key={name} open={name === "Matches"}>
      <summary className="py-1 font-semibold">{name}: some rows</summary>
      {example && (
        <Sample
          name={name}
          columns={example.columns.map((column) => ({ name: column }))}
          rows={example.rows.slice(0, 5)}
        />
      )}
    </details>
  ));
}
