/** Runs as a table: what each found, in a picture and in numbers. */
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import type { Run } from "../../api/client";
import { example } from "../../api/uploads";
import { aliases, SmallBalance } from "../../components/Balance";
import { Button } from "../../components/Button";
import { Open } from "../../components/Open";
import { Empty, Failed } from "../../components/Shown";
import { State } from "../../components/State";
import { Ago } from "../../components/Time";
import { useDrop } from "../../components/uploads";
import { wrongs } from "../../components/Verdict";
import { hand } from "../../state/handed";

/** Where everything begins: two files, dropped here as well, or the example. */
export function NoRuns() {
  const navigate = useNavigate();
  const begin = (files: File[]) => {
    hand(files);
    void navigate({ to: "/new" });
  };
  const over = useDrop(begin);
  const ready = useMutation({ mutationFn: example, onSuccess: begin });
  return (
    <div className={over ? "rounded-lg outline-2 outline-accent outline-dashed" : ""}>
      <Empty title="Nothing has been reconciled yet">
        <p>Two files and the columns they share are enough: drop them here.</p>
        <div className="mt-4 flex flex-wrap justify-center gap-3">
          <Link
            to="/new"
            className="inline-flex h-8 items-center rounded bg-accent px-4 font-semibold text-on-fill hover:brightness-110"
          >
            Drop two files
          </Link>
          <Button disabled={ready.isPending} onClick={() => ready.mutate()}>
            Try the example
          </Button>
        </div>
      </Empty>
      {ready.error && <Failed error={ready.error} />}
    </div>
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
                <Under run={run} />
              </td>
              <td className="px-4 py-2.5">
                <State state={run.state} />
              </td>
              <td className="px-4 py-2.5">
                {run.complete && <SmallBalance run={run} complete={run.complete} />}
              </td>
              <td className="px-4 py-2.5 text-right">
                {run.complete && <Open names={aliases(run)} complete={run.complete} />}
              </td>
              <td className="px-4 py-2.5 text-right text-quiet">{run.created && <Ago at={run.created} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What is wrong with it, or what it has read. */
function Under({ run }: { run: Run }) {
  const wrong = run.complete && wrongs(run.complete);
  const told = run.error?.error ?? wrong;
  return (
    <p
      title={told}
      className={`flex max-w-96 items-center gap-1 text-xs ${wrong ? "text-error" : "text-quiet"}`}
    >
      {wrong && <TriangleAlert aria-hidden className="size-3.5 shrink-0" />}
      <span className="truncate">{told ?? run.sources.map((source) => base(source.uri)).join(" · ")}</span>
    </p>
  );
}

/** A file by its name; a database by its address. */
function base(uri: string): string {
  return uri.includes("?") ? uri : (uri.split("/").pop() ?? uri);
}
