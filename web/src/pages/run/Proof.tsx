/** What an auditor asks of a run: what was read, by which rule, what it sums up to, when, and which files came of it. */
import { useQuery } from "@tanstack/react-query";
import type { Complete, Manifest, Run } from "../../api/client";
import { manifest } from "../../api/runs";
import { Copied } from "../../components/Copied";
import { Fact } from "../../components/Fact";
import { Failed, Skeleton } from "../../components/Shown";
import { Sql } from "../../components/Sql";
import { between, duration, moment } from "../../format/times";
import { ControlTotals, Files, Inputs, Part, Sums, Timings } from "./evidence";
import { Same } from "./Same";

export function Proof({ run, complete }: { run: Run; complete: Complete }) {
  const { data, error, refetch } = useQuery(manifest(run.run_id));
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8 text-sm">
      {error && <Failed error={error} again={() => void refetch()} />}
      {!data && !error && <Skeleton lines={6} />}
      {data && (
        <>
          <Same run={run} manifest={data} />
          <Inputs inputs={data.inputs} />
          {data.control_totals.length > 0 && <ControlTotals totals={data.control_totals} />}
          <Sums run={run} totals={data} />
          <Files files={data.files} />
          <Timings manifest={data} />
        </>
      )}
      <div className="grid grid-cols-[minmax(0,1fr)] gap-8 xl:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
        <Part title="How rows match">
          <Sql text={run.match_sql} />
        </Part>
        <Part title="The run">
          <Facts run={run} complete={complete} manifest={data} />
        </Part>
      </div>
    </div>
  );
}

const LINEAGE = {
  unspecified: "not known",
  rows: "by the numbers of its rows",
  keys: "by its primary key",
};

/** By the reader's clock; as it is kept when one points at it. */
function told(at: string) {
  return (
    <time dateTime={at} title={at}>
      {moment(new Date(at))}
    </time>
  );
}

function Facts({
  run,
  complete,
  manifest,
}: {
  run: Run;
  complete: Complete;
  manifest: Manifest | undefined;
}) {
  const took = between(run.started, run.ended);
  return (
    <dl className="grid content-start grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2">
      <Fact name="recipe">
        {run.recipe_id ? `${run.recipe_id}, version ${run.recipe_version}` : "it came with the run"}
      </Fact>
      <Fact name="run">
        <Copied text={run.run_id} />, attempt {run.attempt}
        {run.worker && `, at ${run.worker}`}
      </Fact>
      {run.created && <Fact name="asked for">{told(run.created)}</Fact>}
      {run.started && <Fact name="begun">{told(run.started)}</Fact>}
      {run.ended && (
        <Fact name="ended">
          {told(run.ended)}
          {took !== undefined && `, after ${duration(took)}`}
        </Fact>
      )}
      {manifest && (
        <>
          <Fact name="engine">Kalla {manifest.engine_version}</Fact>
          <Fact name="SHA-256 of the SQL">
            <Copied text={manifest.match_sql_sha256} />
          </Fact>
          {(["left", "right"] as const).map((side, index) => (
            <Fact key={side} name={`${run.sources[index]?.alias ?? side} is followed`}>
              {LINEAGE[side === "left" ? manifest.lineage_left : manifest.lineage_right]}
            </Fact>
          ))}
        </>
      )}
      {manifest && manifest.notes.length > 0 && (
        <Fact name="worth knowing">
          <ul>
            {manifest.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </Fact>
      )}
      {complete.manifest_path && (
        <Fact name="manifest">
          <span className="font-mono text-xs break-all">{complete.manifest_path}</span>
        </Fact>
      )}
    </dl>
  );
}
