/** Why a row matches nothing: the nearest rows of the other side, each condition, and by how much it fails. */
import { useQuery } from "@tanstack/react-query";
import { Check, Minus, X } from "lucide-react";
import type { Candidate, ConditionOutcome, Pass, Run } from "../../api/client";
import { type Side, why } from "../../api/runs";
import { Quoted } from "../../components/Quoted";
import { Skeleton } from "../../components/Shown";
import { count } from "../../format/numbers";
import { Unread } from "./Unread";

export function Why({ run, side, row }: { run: Run; side: Side; row: number }) {
  const { data, error, refetch } = useQuery(why(run.run_id, side, row));
  const other = run.sources[side === "left" ? 1 : 0]?.alias ?? "the other side";
  if (error) return <Unread error={error} again={() => void refetch()} />;
  if (!data) return <Skeleton lines={4} height={40} />;
  return (
    <section aria-label="Why" className="grid grid-cols-[minmax(0,1fr)] gap-4">
      <h3 className="text-base">Why it is open</h3>
      <p className="rounded bg-raised px-4 py-3">
        <Quoted text={data.verdict} />
      </p>
      {nearest(data.passes).map(({ pass, candidates }, index) => (
        <PassOf
          key={pass.name ?? index}
          pass={pass}
          candidates={candidates}
          columns={data.other_columns}
          other={other}
        />
      ))}
    </section>
  );
}

/** Passes in which a row comes near stand first, and of the others the best row is enough. */
function nearest(passes: Pass[]): { pass: Pass; candidates: Candidate[] }[] {
  const shown = passes.map((pass) => {
    const near = pass.candidates.filter((candidate) => candidate.near);
    return { pass, near: near.length > 0, candidates: near.length > 0 ? near : pass.candidates.slice(0, 1) };
  });
  return shown.sort((a, b) => Number(b.near) - Number(a.near));
}

function PassOf({
  pass,
  candidates,
  columns,
  other,
}: {
  pass: Pass;
  candidates: Candidate[];
  columns: string[];
  other: string;
}) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-2">
      {pass.name && (
        <h4 className="font-semibold">
          Pass <code className="font-mono text-[13px]">{pass.name}</code>
        </h4>
      )}
      {pass.kept_out.length > 0 && <Outcomes outcomes={pass.kept_out} />}
      {candidates.map((candidate) => (
        <article key={candidate.rows.join()} className="rounded border border-line">
          <header className="flex flex-wrap gap-x-3 border-b border-line bg-raised px-3 py-1.5">
            <span className="font-semibold">
              {candidate.row_count > 1
                ? `${count(candidate.row_count)} rows`
                : `Row ${count(candidate.rows[0] ?? 0)}`}{" "}
              of {other}
            </span>
            {candidate.near && <span className="text-accent">comes near</span>}
            {candidate.matched && <span className="text-quiet">is matched already</span>}
          </header>
          <p
            className="truncate px-3 py-1.5 text-quiet"
            title={pairs(columns, candidate.row ?? []).join("\n")}
          >
            {(candidate.row ?? []).filter((cell) => cell !== null).join(" · ")}
          </p>
          <Outcomes outcomes={candidate.outcomes} />
        </article>
      ))}
      {candidates.length === 0 && pass.kept_out.length === 0 && (
        <p className="text-quiet">No row of {other} comes near.</p>
      )}
    </div>
  );
}

function pairs(columns: string[], cells: (string | null)[]): string[] {
  return columns.map((column, index) => `${column}: ${cells[index] ?? "no value"}`);
}

function Outcomes({ outcomes }: { outcomes: ConditionOutcome[] }) {
  return (
    <ul className="grid gap-1.5 px-3 py-2">
      {outcomes.map((outcome) => {
        const [Mark, colour, word] =
          outcome.holds === true
            ? [Check, "text-matched", "holds"]
            : outcome.holds === false
              ? [X, "text-error", "fails"]
              : [Minus, "text-quiet", "cannot be told"];
        return (
          <li key={outcome.condition} className="flex gap-2">
            <Mark role="img" aria-label={word} className={`mt-0.5 size-4 shrink-0 ${colour}`} />
            <div className="min-w-0">
              <code className="font-mono text-xs break-words">{outcome.condition}</code>
              {outcome.reason && (
                <p className="text-error">
                  {outcome.reason}
                  {outcome.allowed && <span className="text-quiet"> (allowed: {outcome.allowed})</span>}
                </p>
              )}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
