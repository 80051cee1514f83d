/** What stands in the place of data: it is coming, there is none, it cannot be had. */
import { type ReactNode, useEffect, useState } from "react";
import { type Problem, Refused, type Violation } from "../api/client";
import { Button } from "./Button";
import { Quoted } from "./Quoted";

/** Grey in the shape of what comes, once it takes long enough to be noticed. */
export function Skeleton({ lines = 3, height = 32 }: { lines?: number; height?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div role="status" aria-label="Loading" className={`grid gap-2 ${late ? "" : "invisible"}`}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={line} className="animate-pulse rounded bg-raised" style={{ height }} />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="rounded-lg border border-dashed border-line px-6 py-12 text-center">
      <h2 className="mb-2 text-base">{title}</h2>
      <div className="mx-auto max-w-prose text-sm text-quiet">{children}</div>
    </div>
  );
}

/** What went wrong and what to change, in the words of whoever found it. */
export function Failed({ error, again }: { error: Error; again?: () => void }) {
  const problem = error instanceof Refused ? error.problem : undefined;
  return (
    <div role="alert" className="rounded-lg border border-error/40 bg-surface px-5 py-4 text-sm">
      <p className="text-error">
        <Quoted text={error.message} />
      </p>
      {problem && <Details problem={problem} />}
      {problem?.trace_id && <p className="mt-2 font-mono text-xs text-quiet">{problem.trace_id}</p>}
      {again && (
        <Button className="mt-3" onClick={again}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Everything that is wrong, each with its place, where that says more than the sentence. */
export function Details({ problem }: { problem: Problem }) {
  // One alone is the sentence above.
  const alone = ({ field, message }: Violation) =>
    [message, `${field}: ${message}`].includes(problem.message);
  const more = problem.violations.filter((violation) => !alone(violation));
  if (more.length === 0) return null;
  return (
    <ul className="mt-2 list-disc pl-5 text-ink">
      {more.map((violation) => (
        <li key={violation.field + violation.message}>
          {violation.field && <code className="font-mono text-xs">{violation.field}: </code>}
          <Quoted text={violation.message} />
        </li>
      ))}
    </ul>
  );
}
