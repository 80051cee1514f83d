/** The workers that jobs of a broker go to: where each is, and what it does. */
import { Link } from "@tanstack/react-router";
import type { WorkerStatus } from "../../api/client";
import { count } from "../../format/numbers";

export function Workers({ workers }: { workers: WorkerStatus[] }) {
  const storages = new Set(workers.map((worker) => worker.storage));
  const versions = new Set(workers.map((worker) => worker.version));
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-quiet">
          <tr className="border-b border-line">
            <th className="px-4 py-2 font-normal">Worker</th>
            <th className="px-4 py-2 font-normal">Jobs</th>
            <th className="px-4 py-2 font-normal">What it runs</th>
            {versions.size > 1 && <th className="px-4 py-2 font-normal">Version</th>}
            {storages.size > 1 && <th className="px-4 py-2 font-normal">Results</th>}
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.name} className="border-b border-line align-top last:border-0">
              <td className="px-4 py-2">
                <span className="block font-mono text-xs break-all">{worker.name}</span>
                <span className="block font-mono text-xs break-all text-quiet">{worker.url}</span>
                {worker.closing && <span className="text-xs text-quiet">shuts down</span>}
              </td>
              <td className="px-4 py-2 whitespace-nowrap">
                <Load worker={worker} />
              </td>
              <td className="px-4 py-2">
                <Jobs worker={worker} />
              </td>
              {versions.size > 1 && <td className="px-4 py-2">{worker.version}</td>}
              {storages.size > 1 && (
                <td className="px-4 py-2 font-mono text-xs break-all text-error">{worker.storage}</td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {storages.size > 1 && (
        <p role="alert" className="border-t border-line px-4 py-2 text-error">
          They keep their results in different places: what one has written, another one does not find. Give
          all of them the same STAGING_BUCKET or GCS_BUCKET.
        </p>
      )}
    </div>
  );
}

/** How many of its places are taken. */
function Load({ worker: { running, concurrency } }: { worker: WorkerStatus }) {
  const share = concurrency > 0 ? Math.min(running / concurrency, 1) : 0;
  return (
    <>
      {count(running)} of {count(concurrency)}
      <span aria-hidden className="mt-1 block h-1.5 w-20 overflow-hidden rounded bg-raised">
        <span className="block h-full rounded bg-accent" style={{ width: `${share * 100}%` }} />
      </span>
    </>
  );
}

function Jobs({ worker: { jobs } }: { worker: WorkerStatus }) {
  if (jobs.length === 0) return <span className="text-quiet">nothing</span>;
  return (
    <ul>
      {jobs.map(({ run_id, attempt }) => (
        <li key={run_id} className="text-xs">
          <Link to="/runs/$id" params={{ id: run_id }} className="font-mono text-accent underline">
            {run_id.slice(0, 8)}
          </Link>
          {attempt > 1 && ` attempt ${attempt}`}
        </li>
      ))}
    </ul>
  );
}
