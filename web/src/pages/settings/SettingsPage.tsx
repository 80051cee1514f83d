/** What this Kalla is made of, and whether it works. */
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { System, WorkerStatus } from "../../api/client";
import { system } from "../../api/system";
import { Band } from "../../components/Band";
import { Fact } from "../../components/Fact";
import { busy } from "../../components/Health";
import { KeyList } from "../../components/Keys";
import { Failed, Skeleton } from "../../components/Shown";
import { Ago } from "../../components/Time";
import { bytes, count, plural } from "../../format/numbers";
import { duration } from "../../format/times";
import { THEMES, type Theme, useTheme, wear } from "../../state/theme";
import { useTitle } from "../../state/title";
import { Workers } from "./Workers";

export function SettingsPage() {
  const { data, error, refetch } = useQuery(system());
  useTitle("Settings");
  return (
    <div className="grid max-w-4xl grid-cols-[minmax(0,1fr)] gap-8 text-sm">
      <h1 className="text-xl">Settings</h1>
      {error && !data && <Failed error={error} again={() => void refetch()} />}
      {!data && !error && <Skeleton lines={6} />}
      {data && (
        <>
          <Gateway system={data} />
          <Band title="Worker">
            {data.worker ? (
              <Worker worker={data.worker} url={data.worker_url} />
            ) : (
              <div role="alert" className="rounded-lg border border-error/40 bg-surface p-4">
                <p className="text-error">{data.worker_problem?.message}</p>
                <p className="mt-2 text-quiet">
                  Runs that are asked for meanwhile wait until it is back.
                  {data.worker_url && " WORKER_URL says where it is."}
                </p>
              </div>
            )}
          </Band>
        </>
      )}
      {data && data.workers.length > 0 && (
        <Band title="Workers">
          <Workers workers={data.workers} />
        </Band>
      )}
      {data?.broker && (
        <Band title="Broker">
          <Broker broker={data.broker} />
        </Band>
      )}
      <Band title="Look">
        <Look />
      </Band>
      <Band title="Keys">
        <div className="rounded-lg border border-line bg-surface p-4">
          <KeyList />
        </div>
      </Band>
    </div>
  );
}

function Gateway({ system }: { system: System }) {
  return (
    <Band title="Gateway">
      <Facts>
        <Fact name="version">{system.version}</Fact>
        <Fact name="database">
          {system.database === "postgres"
            ? "Postgres, as DATABASE_URL says"
            : "SQLite, in the data directory (KALLA_DATA_DIR)"}
        </Fact>
        <Fact name="who may come in">
          {system.local
            ? "whoever works on this machine: there is no sign-in"
            : "everyone who reaches it (KALLA_AUTH=none): there is no sign-in"}
        </Fact>
        <Fact name="for programs">
          <a href="/api/openapi.json" className="text-accent underline">
            OpenAPI
          </a>
          {" · "}
          <a href="/metrics" className="text-accent underline">
            metrics
          </a>
        </Fact>
      </Facts>
    </Band>
  );
}

function Worker({ worker, url }: { worker: WorkerStatus; url: string }) {
  const { limits = {} } = worker;
  const { memory_bytes, threads, timeout_seconds, max_rejected_rows, max_matched_rows } = limits;
  return (
    <Facts>
      <Fact name="address">
        <span className="font-mono text-xs">{url}</span>
      </Fact>
      <Fact name="version">{worker.version}</Fact>
      <Fact name="at work">
        {busy(worker)} At most {count(worker.queue)} may wait.
      </Fact>
      <Fact name="a job may use">
        {[
          memory_bytes !== undefined && `${bytes(memory_bytes)} of memory`,
          threads !== undefined && plural(threads, "thread"),
          timeout_seconds !== undefined && duration(timeout_seconds * 1000),
        ]
          .filter(Boolean)
          .join(", ")}
      </Fact>
      <Fact name="a job fails">
        {[
          max_rejected_rows !== undefined &&
            (max_rejected_rows === 0
              ? "at a row that cannot be read"
              : `past ${count(max_rejected_rows)} such rows`),
          max_matched_rows !== undefined && `past ${plural(max_matched_rows, "matched row")}`,
        ]
          .filter(Boolean)
          .join(", ")}
      </Fact>
      <Fact name="results and uploads">
        <span className="font-mono text-xs break-all">{worker.storage}</span>
      </Fact>
      <Fact name="files it may read">
        {worker.file_roots.map((root) => (
          <span key={root} className="block font-mono text-xs break-all">
            {root}
          </span>
        ))}
      </Fact>
      <Fact name="staged rows">
        {worker.keeps_staged
          ? "are kept for a time: rows can be explained"
          : "are not kept: why a row is open cannot be told"}
      </Fact>
    </Facts>
  );
}

/** What stands between gateway and workers. */
function Broker({ broker }: { broker: NonNullable<System["broker"]> }) {
  return (
    <Facts>
      <Fact name="address">
        <span className="font-mono text-xs">{broker.url}</span>
      </Fact>
      <Fact name="jobs">
        {broker.problem ? (
          <span role="alert" className="text-error">
            {broker.problem.message}
          </span>
        ) : (
          `${count(broker.waiting)} wait there, ${count(broker.under_way)} are at workers`
        )}
      </Fact>
      {broker.dead > 0 && (
        <Fact name="what nobody can do">
          <p className="text-error">{plural(broker.dead, "message")} in kalla.jobs.dead. The latest:</p>
          <ul className="mt-1 grid gap-1">
            {broker.dead_letters.map(({ number, time, reason }) => (
              <li key={number}>
                <span className="text-quiet">
                  {count(number)}
                  {time && (
                    <>
                      {", "}
                      <Ago at={time} />
                    </>
                  )}
                  :
                </span>{" "}
                {reason}
              </li>
            ))}
          </ul>
        </Fact>
      )}
    </Facts>
  );
}

function Look() {
  const worn = useTheme();
  const names: Record<Theme, string> = { system: "As the system", light: "Light", dark: "Dark" };
  return (
    <fieldset className="flex gap-5 rounded-lg border border-line bg-surface p-4">
      <legend className="sr-only">Theme</legend>
      {THEMES.map((theme) => (
        <label key={theme} className="flex items-center gap-2">
          <input
            type="radio"
            name="theme"
            checked={worn === theme}
            onChange={() => wear(theme)}
            className="accent-accent"
          />
          {names[theme]}
        </label>
      ))}
    </fieldset>
  );
}

function Facts({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2 rounded-lg border border-line bg-surface p-4">
      {children}
    </dl>
  );
}
