/** What an auditor asks of a run: what was read, by which rule, when, and where the results are. */
import type { ReactNode } from "react";
import type { Complete, Run } from "../../api/client";
import { Sql } from "../../components/Sql";
import { count } from "../../format/numbers";
import { between, duration } from "../../format/times";

export function Proof({ run, complete }: { run: Run; complete: Complete }) {
  const took = between(run.started, run.ended);
  const totals = [complete.total_left, complete.total_right];
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6 text-sm xl:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
      <dl className="grid content-start grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2">
        {run.sources.map((source, index) => (
          <Fact key={source.alias} name={source.alias}>
            <span className="font-mono text-xs break-all">{source.uri}</span>
            {totals[index] !== undefined && (
              <span className="text-quiet"> · {count(totals[index])} rows</span>
            )}
          </Fact>
        ))}
        <Fact name="recipe">
          {run.recipe_id ? `${run.recipe_id}, version ${run.recipe_version}` : "it came with the run"}
        </Fact>
        <Fact name="run">
          <span className="font-mono text-xs">{run.run_id}</span>, attempt {run.attempt}
        </Fact>
        {run.created && <Fact name="asked for">{run.created}</Fact>}
        {run.started && <Fact name="begun">{run.started}</Fact>}
        {run.ended && (
          <Fact name="ended">{`${run.ended}${took === undefined ? "" : `, after ${duration(took)}`}`}</Fact>
        )}
        {complete.manifest_path && (
          <Fact name="manifest">
            <span className="font-mono text-xs break-all">{complete.manifest_path}</span>
            <p className="text-quiet">Inputs, SQL, counts, timings, and the size and SHA-256 of each file.</p>
          </Fact>
        )}
      </dl>
      <section aria-label="SQL">
        <h2 className="mb-2">How rows match</h2>
        <Sql text={run.match_sql} />
      </section>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-quiet">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
