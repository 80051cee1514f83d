/** One run: how far it is, what came of it, and every row of that. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/client";
import { learn } from "../../api/events";
import { cancel, retry, run as runQuery } from "../../api/runs";
import { Button } from "../../components/Button";
import { Crumb } from "../../components/Crumb";
import { Failed, Skeleton } from "../../components/Shown";
import { ended, State } from "../../components/State";
import { Ago } from "../../components/Time";
import { Verdict } from "../../components/Verdict";
import { plural } from "../../format/numbers";
import { between, duration } from "../../format/times";
import { useOffer } from "../../state/commands";
import { useTitle } from "../../state/title";
import type { View } from "../../state/view";
import { Balance } from "./Balance";
import { Results } from "./Results";
import { Stages } from "./Stages";
import { Told } from "./Told";

interface Props {
  id: string;
  view: View;
  look: (view: View, replace?: boolean) => void;
}

export function RunPage({ id, view, look }: Props) {
  const { data: run, error, refetch } = useQuery(runQuery(id));
  useTitle(run?.name);
  if (error && !run) return <Failed error={error} again={() => void refetch()} />;
  if (!run) return <Skeleton lines={4} height={56} />;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <Head run={run} />
      {run.error && <Told run={run} />}
      {!ended(run.state) && <Stages run={run} />}
      {run.complete && (
        <>
          {run.complete.verdict && <Verdict run={run} verdict={run.complete.verdict} />}
          <Balance
            run={run}
            complete={run.complete}
            amount={view.amount}
            choose={(amount) => look({ ...view, amount }, true)}
          />
          <Results
            run={run}
            complete={run.complete}
            view={view}
            look={(next, replace) => look({ ...(view.amount && { amount: view.amount }), ...next }, replace)}
          />
        </>
      )}
    </div>
  );
}

function mayRetry({ state }: Run): boolean {
  return state === "failed" || state === "cancelled";
}

function Head({ run }: { run: Run }) {
  const client = useQueryClient();
  const onSuccess = (changed: Run) => learn(client, changed);
  const stop = useMutation({ mutationFn: () => cancel(run.run_id), onSuccess });
  const again = useMutation({ mutationFn: () => retry(run.run_id), onSuccess });
  const took = between(run.started, run.ended);
  const failed = stop.error ?? again.error;
  useOffer([
    ...(ended(run.state) ? [] : [{ name: "Cancel this run", act: () => stop.mutate() }]),
    ...(mayRetry(run) ? [{ name: "Try this run again", act: () => again.mutate() }] : []),
  ]);
  return (
    <header className="grid gap-2">
      <Crumb to="/runs" name="Runs" />
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="text-xl">{run.name}</h1>
        <State state={run.state} />
        <div className="grow" />
        {!ended(run.state) && (
          <Button onClick={() => stop.mutate()} disabled={stop.isPending || run.cancel_requested}>
            {run.cancel_requested ? "Stopping …" : "Cancel"}
          </Button>
        )}
        {mayRetry(run) && (
          <Button onClick={() => again.mutate()} disabled={again.isPending}>
            Try again
          </Button>
        )}
      </div>
      <p className="text-sm text-quiet">
        {run.recipe_id ? (
          <>
            Recipe{" "}
            <Link to="/recipes/$id" params={{ id: run.recipe_id }} className="text-accent underline">
              {run.recipe_id}
            </Link>
            , version {run.recipe_version}
          </>
        ) : (
          "A recipe of its own"
        )}{" "}
        · {run.created && <Ago at={run.created} />}
        {took !== undefined && ` · took ${duration(took)}`}
        {run.attempt > 1 && ` · attempt ${run.attempt}`}
        {run.interruptions > 0 &&
          `, of which ${plural(run.interruptions, "was", "were")} cut short by a restart`}
      </p>
      {failed && <Failed error={failed} />}
    </header>
  );
}
