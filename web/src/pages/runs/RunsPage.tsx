/** All runs, the latest first, as they change. */
import { useQuery } from "@tanstack/react-query";
import { runs as runsQuery } from "../../api/runs";
import { Failed, Skeleton } from "../../components/Shown";
import { useTitle } from "../../state/title";
import { NoRuns, RunList } from "./RunList";

export function RunsPage() {
  const { data, error, refetch } = useQuery(runsQuery());
  useTitle("Runs");
  return (
    <>
      <h1 className="mb-4 text-xl">Runs</h1>
      {error && !data ? (
        <Failed error={error} again={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={6} height={48} />
      ) : data.runs.length === 0 ? (
        <NoRuns />
      ) : (
        <>
          <RunList runs={data.runs} />
          {data.next_cursor && (
            <p className="mt-3 text-sm text-quiet">The latest {data.runs.length} are shown.</p>
          )}
        </>
      )}
    </>
  );
}
