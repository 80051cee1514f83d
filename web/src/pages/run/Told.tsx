/** Why a run failed, or what it waits for: the sentence, the line that it is about among those around it, and what can be done. */
import { Link } from "@tanstack/react-router";
import type { Run, SourcePlace } from "../../api/client";
import { Quoted } from "../../components/Quoted";
import { Details } from "../../components/Shown";
import { count } from "../../format/numbers";
import { localised } from "../../format/sentences";

export function Told({ run }: { run: Run }) {
  const problem = run.error?.problem;
  const over = run.state === "failed";
  return (
    <section
      aria-label="What is wrong"
      className={`grid grid-cols-[minmax(0,1fr)] gap-3 rounded-lg border bg-surface px-5 py-4 text-sm ${over ? "border-error/40" : "border-line"}`}
    >
      <p role={over ? "alert" : "status"} className={over ? "text-error" : ""}>
        <Quoted text={localised(run.error?.error ?? "")} />
      </p>
      {problem && <Details problem={problem} />}
      {problem?.place && problem.place.around.length > 0 && <Around run={run} place={problem.place} />}
      {over && <OtherFiles run={run} />}
    </section>
  );
}

/** As the file has it. */
function Around({ run, place }: { run: Run; place: SourcePlace }) {
  const source = run.sources.find(({ alias }) => alias === place.source);
  const name = source?.uri.split("/").pop() ?? place.source;
  return (
    <figure className="overflow-hidden rounded border border-line">
      <figcaption className="border-b border-line bg-raised px-3 py-1.5 text-xs">
        <span className="font-semibold">{name}</span>
        {place.line !== undefined && `, line ${count(place.line)}`}
        {place.column && `, column ${place.column}`}
      </figcaption>
      <section aria-label={`Lines of ${name}`} tabIndex={0} className="overflow-x-auto py-1">
        <table className="w-full font-mono text-xs">
          <tbody>
            {place.around.map(({ number, text }) => {
              const it = number === place.line;
              return (
                <tr
                  key={number}
                  aria-current={it || undefined}
                  className={it ? "bg-error/10 font-semibold" : ""}
                >
                  <td
                    className={`w-0 px-3 py-0.5 text-right select-none ${it ? "text-error" : "text-quiet"}`}
                  >
                    {number}
                  </td>
                  <td className="py-0.5 pr-4 whitespace-pre">{text}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
    </figure>
  );
}

/** A run reads what it was given: a file that is mended is another one. */
function OtherFiles({ run }: { run: Run }) {
  const className =
    "inline-flex h-8 items-center rounded border border-line bg-surface px-3 font-semibold hover:bg-raised";
  const [left, right] = [run.sources[0]?.upload_id, run.sources[1]?.upload_id];
  if (run.recipe_id)
    return (
      <p>
        <Link to="/recipes/$id" params={{ id: run.recipe_id }} className={className}>
          Choose other files
        </Link>
      </p>
    );
  if (!left && !right) return null;
  return (
    <p>
      <Link to="/new" search={{ ...(left && { left }), ...(right && { right }) }} className={className}>
        Choose other files
      </Link>
    </p>
  );
}
