/** Whether a source can be read: each part of the way to it, and the one that fails. */
import { useMutation } from "@tanstack/react-query";
import { Check, X } from "lucide-react";
import type { ConnectionPart } from "../../api/client";
import { test } from "../../api/sources";
import { Button } from "../../components/Button";
import { Quoted } from "../../components/Quoted";
import { Failed } from "../../components/Shown";

const PARTS: Record<ConnectionPart, string> = {
  unspecified: "Connection",
  server: "Server",
  login: "Login",
  database: "Database",
  table: "Table",
  file: "File",
};

export function Connection({ alias }: { alias: string }) {
  const { data, error, isPending, mutate } = useMutation({ mutationFn: () => test(alias) });
  const steps = data ? [...data.passed, ...(data.failed ? [data.failed] : [])] : [];
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 text-sm">
      <Button onClick={() => mutate()} disabled={isPending}>
        {isPending ? "Connecting …" : "Test the connection"}
      </Button>
      <ul aria-live="polite" className="contents">
        {steps.map(({ part, problem }) => {
          const Mark = problem ? X : Check;
          return (
            <li key={part} className={`flex items-center gap-1.5 ${problem ? "text-error" : ""}`}>
              <Mark
                role="img"
                aria-label={problem ? "fails" : "is right"}
                className={`size-4 shrink-0 ${problem ? "" : "text-matched"}`}
              />
              <span>
                {PARTS[part]}
                {problem && (
                  <>
                    : <Quoted text={problem.message} />
                  </>
                )}
              </span>
            </li>
          );
        })}
      </ul>
      {error && <Failed error={error} />}
    </div>
  );
}
