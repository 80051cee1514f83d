/** Whether the two sides agree, in rows or in amounts: every part of the picture leads to its rows. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, TriangleAlert } from "lucide-react";
import type { ColumnSum, Complete, Run } from "../../api/client";
import { manifest, type Side } from "../../api/runs";
import {
  amounts as amountsOf,
  apart,
  currencies,
  currencyName,
  type Pair,
  settled,
  type Totals,
  usualPair,
} from "../../components/sums";
import { isZero } from "../../format/decimals";
import { count, decimal } from "../../format/numbers";
import type { Tab } from "../../state/view";
import { amountBars, type Bar, rowBars } from "./bars";

interface Props {
  run: Run;
  complete: Complete;
  /** The columns whose sums are shown; absent: rows are. */
  amount: Pair | undefined;
  choose: (amount: Pair | undefined) => void;
}

export function Balance({ run, complete, amount, choose }: Props) {
  const { data } = useQuery(manifest(run.run_id));
  const sums = data?.sums ?? [];
  const usual = data && usualPair(data);
  const shown = amount && settled(sums, amount);
  const amounts = shown && amountBars(run, sums, shown);
  const bars = amounts ?? rowBars(run, complete);
  const scale = Math.max(
    bars[0].total.size,
    bars[1].total.size,
    bars[0].matched.size,
    bars[1].matched.size,
    1e-9,
  );
  return (
    <section aria-label="Balance" className="rounded-lg border border-line bg-surface p-5">
      {usual && (
        <fieldset className="mb-3 flex flex-wrap items-center justify-center gap-2 text-sm">
          <legend className="sr-only">What is counted</legend>
          <Choice name="Rows" chosen={!amounts} choose={() => choose(undefined)} />
          <Choice name="Amounts" chosen={amounts !== undefined} choose={() => choose(amount ?? usual)} />
          {amounts && shown && data && <Columns totals={data} amount={shown} choose={choose} />}
        </fieldset>
      )}
      <div className="grid grid-cols-2 text-sm">
        {bars.map((bar) => (
          <p key={bar.side} className={`flex flex-wrap gap-x-2 ${bar.side === "left" ? "" : "justify-end"}`}>
            <span className="font-semibold">{bar.name}</span>
            <span className="text-quiet">
              {bar.total.text}
              {!amounts && " rows"}
            </span>
            {bar.share && <span className="text-quiet">· {bar.share} matched</span>}
          </p>
        ))}
      </div>
      <div className="my-3 grid grid-cols-2">
        {bars.map((bar) => (
          <div
            key={bar.side}
            className={`flex h-12 ${bar.side === "left" ? "justify-end border-r-2 border-surface" : "flex-row-reverse justify-end"}`}
          >
            <Segment run={run} bar={bar} scale={scale} part="open" />
            <Segment run={run} bar={bar} scale={scale} part="matched" />
          </div>
        ))}
      </div>
      <div className="grid gap-x-8 gap-y-1 text-sm lg:grid-cols-2">
        {bars.map((bar) => (
          <Equation key={bar.side} bar={bar} />
        ))}
      </div>
      {amounts && shown && <Apart sums={sums} amount={shown} />}
    </section>
  );
}

function Choice({ name, chosen, choose }: { name: string; chosen: boolean; choose: () => void }) {
  return (
    <button
      type="button"
      aria-pressed={chosen}
      onClick={choose}
      className={`h-7 rounded px-3 ${chosen ? "bg-raised font-semibold" : "text-quiet hover:bg-raised"}`}
    >
      {name}
    </button>
  );
}

/** Which columns are summed up, and of which currency, where there is a choice. */
function Columns({ totals, amount, choose }: { totals: Totals; amount: Pair; choose: Props["choose"] }) {
  const [left, right, currency = ""] = amount;
  const names = (side: Side) => amountsOf(totals, side).map(({ column }) => column);
  return (
    <>
      <Select
        label="Amount of the left side"
        value={left}
        values={names("left")}
        choose={(left) => choose([left, right, currency])}
      />
      <Select
        label="Amount of the right side"
        value={right}
        values={names("right")}
        choose={(right) => choose([left, right, currency])}
      />
      <Select
        label="Currency"
        value={currency}
        values={currencies(totals.sums, amount)}
        called={currencyName}
        choose={(currency) => choose([left, right, currency])}
      />
    </>
  );
}

function Select({
  label,
  value,
  values,
  called = (value) => value,
  choose,
}: {
  label: string;
  value: string;
  values: string[];
  called?: (value: string) => string;
  choose: (value: string) => void;
}) {
  if (values.length < 2) return null;
  return (
    <select
      aria-label={label}
      value={value}
      onChange={({ target }) => choose(target.value)}
      className="h-7 rounded border border-line bg-surface px-2"
    >
      {values.map((one) => (
        <option key={one} value={one}>
          {called(one)}
        </option>
      ))}
    </select>
  );
}

function Segment({ run, bar, scale, part }: { run: Run; bar: Bar; scale: number; part: "open" | "matched" }) {
  const { size, text } = bar[part];
  if (size === 0) return null;
  const tab: Tab = part === "matched" ? "matched" : `unmatched_${bar.side}`;
  const colour = part === "matched" ? "bg-matched" : bar.side === "left" ? "bg-open-left" : "bg-open-right";
  const share = Math.min(size / scale, 1);
  return (
    <Link
      to="/runs/$id"
      params={{ id: run.run_id }}
      search={({ amount }) => ({ ...(amount && { amount }), tab })}
      aria-label={`${bar.name}: ${text} ${part}`}
      title={`${bar.name}: ${text} ${part}`}
      className={`@container flex items-center overflow-hidden px-2 text-sm whitespace-nowrap text-on-fill hover:brightness-110 ${colour} ${
        bar.side === "right" ? "justify-end" : ""
      }`}
      style={{ width: `max(4px, ${share * 100}%)`, padding: share < 0.04 ? 0 : undefined }}
    >
      {/* As much of it as there is room for. */}
      <span className={text.length > 6 ? "hidden @[6rem]:inline" : "hidden @[1.75rem]:inline"}>
        {text}
        <span className={text.length > 6 ? "hidden @[10rem]:inline" : "hidden @[7rem]:inline"}> {part}</span>
      </span>
    </Link>
  );
}

/** The proof that nothing is lost. */
function Equation({ bar }: { bar: Bar }) {
  const { holds } = bar;
  const Mark = holds ? Check : TriangleAlert;
  return (
    <p
      className={
        holds ? "flex items-start gap-2" : "flex items-center gap-2 text-xl font-semibold text-error"
      }
    >
      <Mark aria-hidden className={`mt-0.5 size-4 shrink-0 ${holds ? "text-matched" : "text-error"}`} />
      <span>
        {bar.source}: {bar.total.text} {holds ? "=" : "≠"} {bar.matched.text} matched + {bar.open.text} open
        {bar.rejected > 0 && (
          <span className="text-error">, and {count(bar.rejected)} rejected while reading</span>
        )}
      </span>
    </p>
  );
}

/** Matched rows need not be worth the same: by how much they differ is what a tolerance lets through. */
function Apart({ sums, amount }: { sums: ColumnSum[]; amount: Pair }) {
  const difference = apart(sums, amount);
  if (difference === undefined) return null;
  return (
    <p className="mt-2 text-sm">
      {isZero(difference) ? (
        "What is matched sums up to the same on both sides."
      ) : (
        <>
          What is matched differs by <strong>{decimal(difference)}</strong> in all.
        </>
      )}
    </p>
  );
}
