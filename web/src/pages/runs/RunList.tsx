/** Runs as a table: what each found, in a picture and in numbers. */
import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/client";
import { SmallBalance } from "../../components/Balance";
import { Empty } from "../../components/Shown";
import { State } from "../../components/State";
import { Ago } from "../../components/Time";
import { count } from "../../format/numbers";

export function NoRuns() {
  return (
    <Empty title="Nothing has been reconciled yet">
      <p>Two files and the columns they share are enough.</p>
      <Link
        to="/new"
        className="mt-4 inline-flex h-9 items-center rounded bg-accent px-4 font-semibold text-on-fill hover:brightness-110"
      >
        Drop two files
      </Link>
      <p className="mt-4">
        <code className="font-mono text-xs">kalla up --demo</code> begins with an example.
      </p>
    </Empty>
  );
}

export function RunList({ runs }: { runs: Run[] }) {
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface">
      <table className="w-full text-sm">
        <thead className="bg-raised text-left">
          <tr>
            <th className="px-4 py-2 font-semibold">Run</th>
            <th className="px-4 py-2 font-semibold">State</th>
            <th className="w-72 px-4 py-2 font-semibold">Balance</th>
            <th className="px-4 py-2 text-right font-semibold">Open</th>
            <th className="px-4 py-2 text-right font-semibold">When</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.run_id} className="relative border-t border-line hover:bg-raised">
              <td className="px-4 py-2.5">
                <Link
                  to="/runs/$id"
                  params={{ id: run.run_id }}
                  className="font-semibold after:absolute after:inset-0 hover:underline"
                >
                  {run.name}
                </Link>
                <p className="max-w-96 truncate text-xs text-quiet">
                  {run.error ? run.error.error : run.sources.map((source) => base(source.uri)).join(" · ")}
                </p>
              </td>
              <td className="px-4 py-2.5">
                <State state={run.state} />
              </td>
              <td className="px-4 py-2.5">
                {run.complete && <SmallBalance run={run} complete={run.complete} />}
              </td>
              <td className="px-4 py-2.5 text-right">
                {run.complete &&
                  count(run.complete.unmatched_left_count + run.complete.unmatched_right_count)}
              </td>
              <td className="px-4 py-2.5 text-right text-quiet">{run.created && <Ago at={run.created} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A file by its name; a database by its address. */
function base(uri: string): string {
  return uri.includes("?") ? uri : (uri.split("/").pop() ?? uri);
}
