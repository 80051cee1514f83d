/** How a recipe came to be what it is: what each version changed. */
import type { Recipe } from "../../api/client";
import { Sql } from "../../components/Sql";
import { Ago } from "../../components/Time";
import { plural } from "../../format/numbers";
import { changed, type DiffLine, sqlLines } from "./changes";

/** `versions`: the latest first. */
export function Versions({ versions }: { versions: Recipe[] }) {
  return (
    <ol className="grid gap-1 text-sm">
      {versions.map((version, index) => (
        <li key={version.version}>
          <Version version={version} before={versions[index + 1]} />
        </li>
      ))}
    </ol>
  );
}

function Version({ version, before }: { version: Recipe; before: Recipe | undefined }) {
  const words = before ? changed(before, version) : [];
  const lines =
    before && before.match_sql !== version.match_sql ? sqlLines(before.match_sql, version.match_sql) : [];
  const of = (kind: DiffLine["kind"]) => lines.filter((line) => line.kind === kind).length;
  const told = [
    ...(lines.length > 0 ? [`SQL: ${plural(of("added"), "line")} more, ${of("removed")} less`] : []),
    ...words,
  ];
  return (
    <details>
      <summary className="py-1">
        <span className="font-semibold">Version {version.version}</span>{" "}
        <span className="text-quiet">
          {version.updated && <Ago at={version.updated} />}
          {before ? ` · ${told.join("; ") || "nothing changed"}` : " · the first"}
        </span>
      </summary>
      <div className="py-2">
        {lines.length > 0 ? <Lines lines={lines} /> : <Sql text={version.match_sql} />}
      </div>
    </details>
  );
}

const MARKS = {
  kept: [" ", ""],
  added: ["+", "bg-matched/15"],
  removed: ["−", "bg-error/15"],
} as const;

function Lines({ lines }: { lines: DiffLine[] }) {
  return (
    <pre
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-lg border border-line bg-surface py-3 font-mono text-xs leading-relaxed"
    >
      {lines.map(({ kind, text }, index) => {
        const [mark, className] = MARKS[kind];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
          <span key={index} className={`block px-4 ${className}`}>
            <span aria-hidden className="mr-3 text-quiet select-none">
              {mark}
            </span>
            {kind !== "kept" && <span className="sr-only">{kind}: </span>}
            {text}
          </span>
        );
      })}
    </pre>
  );
}
