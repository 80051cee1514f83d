/** What a manifest holds, as tables: what was read and written, what it sums up to, how long it took. */
import type { ReactNode } from "react";
import type { ControlTotal, Manifest, ManifestFile, ManifestInput, Run } from "../../api/client";
import { Copied } from "../../components/Copied";
import { amounts, currencyName, type Totals } from "../../components/sums";
import { plus } from "../../format/decimals";
import { bytes, count, decimal } from "../../format/numbers";
import { duration, moment } from "../../format/times";

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-2">{title}</h2>
      {children}
    </section>
  );
}

/** A table of facts; `right`: which of its columns are numbers. */
function Table({
  name,
  head,
  right,
  rows,
}: {
  name: string;
  head: string[];
  right: number[];
  rows: ReactNode[][];
}) {
  const side = (index: number) => (right.includes(index) ? "text-right" : "text-left");
  return (
    <section
      aria-label={`Table: ${name}`}
      tabIndex={0}
      className="overflow-x-auto rounded-lg border border-line bg-surface"
    >
      <table className="w-full text-[13px]">
        <thead>
          <tr className="bg-raised">
            {head.map((title, index) => (
              <th key={title} className={`px-3 py-1.5 font-semibold whitespace-nowrap ${side(index)}`}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they never change places
            <tr key={index} className="border-t border-line/60 align-top">
              {row.map((cell, at) => (
                <td key={head[at]} className={`px-3 py-1.5 ${side(at)}`}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Inputs({ inputs }: { inputs: ManifestInput[] }) {
  return (
    <Part title="What was read">
      <Table
        name="What was read"
        head={["Source", "Where", "Rows", "Rejected", "Size", "Format", "State it was in"]}
        right={[2, 3, 4]}
        rows={inputs.map((input) => [
          <span key="alias" className="font-semibold">
            {input.alias}
          </span>,
          <span key="uri" className="font-mono text-xs break-all">
            {input.uri}
          </span>,
          count(input.rows),
          count(input.rejected),
          input.bytes === undefined ? "" : bytes(input.bytes),
          input.dialect?.format ?? "",
          <Fingerprint key="state" text={input.fingerprint} />,
        ])}
      />
    </Part>
  );
}

/** What tells one state of a source from another; of a file, when it was written. */
function Fingerprint({ text }: { text: string | undefined }) {
  if (text === undefined) return "not known";
  const seconds = /^\d+ bytes, modified (\d+)/.exec(text)?.[1];
  return seconds === undefined ? (
    <span className="break-all">{text}</span>
  ) : (
    <span title={text}>written {moment(new Date(Number(seconds) * 1000))}</span>
  );
}

/** Of amounts: numbers that name something sum up to nothing. */
export function Sums({ run, totals }: { run: Run; totals: Totals }) {
  const sums = (["left", "right"] as const).flatMap((side) => amounts(totals, side));
  if (sums.length === 0) return null;
  return (
    <Part title="What it sums up to">
      <Table
        name="What it sums up to"
        head={["Source", "Column", "Currency", "Matched", "Open", "In all"]}
        right={[3, 4, 5]}
        rows={sums.flatMap(({ side, column, by_currency, ...all }) => {
          const source = run.sources[side === "left" ? 0 : 1]?.alias ?? side;
          // Amounts of different currencies are not added up.
          const parts = by_currency.length > 0 ? by_currency : [{ currency: undefined, ...all }];
          return parts.map(({ currency, matched, unmatched }) => [
            source,
            column,
            currency === undefined ? "" : currencyName(currency),
            decimal(matched),
            decimal(unmatched),
            decimal(plus(matched, unmatched) ?? ""),
          ]);
        })}
      />
    </Part>
  );
}

/** Whether what matched is worth the same on both sides, and what the conditions let through. */
export function ControlTotals({ totals }: { totals: ControlTotal[] }) {
  return (
    <Part title="Control totals of what matched">
      <Table
        name="Control totals"
        head={["Left", "Right", "Currency", "Sum left", "Sum right", "Difference", "Allowed"]}
        right={[3, 4, 5, 6]}
        rows={totals.map((total) => [
          total.left,
          total.right,
          total.currency === undefined ? "" : currencyName(total.currency),
          decimal(total.matched_left),
          decimal(total.matched_right),
          <strong key="difference">{decimal(total.difference)}</strong>,
          total.key ? "keys" : total.allowed === undefined ? "not said" : decimal(total.allowed),
        ])}
      />
    </Part>
  );
}

const SETS: Record<ManifestFile["result_set"], string> = {
  unspecified: "Not known",
  matched: "Matched",
  unmatched_left: "Open, left",
  unmatched_right: "Open, right",
  rejected_left: "Rejected, left",
  rejected_right: "Rejected, right",
};

export function Files({ files }: { files: ManifestFile[] }) {
  return (
    <Part title="What was written">
      <Table
        name="What was written"
        head={["Result", "Rows", "Size", "SHA-256", "File"]}
        right={[1, 2]}
        rows={files.map((file) => [
          SETS[file.result_set],
          count(file.rows),
          bytes(file.bytes),
          <Copied key="sha" text={file.sha256} shown={`${file.sha256.slice(0, 16)}…`} />,
          <span key="path" className="font-mono text-xs break-all">
            {file.path}
          </span>,
        ])}
      />
    </Part>
  );
}

/** Parts of the time as parts of a bar. */
export function Timings({ manifest: { timings, spilled_bytes } }: { manifest: Manifest }) {
  if (!timings) return null;
  const parts = [
    { name: "reading", took: timings.staging_ms, className: "bg-open-right" },
    { name: "matching", took: timings.matching_ms, className: "bg-matched" },
    { name: "writing", took: timings.writing_results_ms, className: "bg-open-left" },
  ];
  const all = parts.reduce((sum, { took }) => sum + took, 0) || 1;
  return (
    <Part title={`How long it took: ${duration(timings.total_ms)}`}>
      <div aria-hidden className="flex h-2.5 max-w-3xl gap-px overflow-hidden rounded">
        {parts.map(({ name, took, className }) => (
          <span key={name} className={className} style={{ width: `${(took / all) * 100}%` }} />
        ))}
      </div>
      <ul className="mt-2 flex flex-wrap gap-x-6">
        {parts.map(({ name, took, className }) => (
          <li key={name} className="flex items-center gap-2">
            <span aria-hidden className={`size-2.5 rounded-sm ${className}`} />
            {name} <span className="text-quiet">{duration(took)}</span>
          </li>
        ))}
        {spilled_bytes > 0 && <li className="text-quiet">{bytes(spilled_bytes)} went through the disk</li>}
      </ul>
    </Part>
  );
}
