/** Whether the two sides agree, in rows and in amounts: every part of the picture leads to its rows. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, TriangleAlert } from "lucide-react";
import type { Complete, Run } from "../../api/client";
import { manifest, type Side } from "../../api/runs";
import {
  amounts as amountsOf,
  currencies,
  currencyName,
  type Pair,
  settled,
  type Totals,
  usualPair,
} from "../../components/sums";
import { count } from "../../format/numbers";
import type { Tab } from "../../state/view";
import { amountBars, type Bar, type Met, met, rowBars } from "./bars";

interface Props {
  run: Run;
  complete: Complete;
  /** The columns whose sums are shown; absent: those that are likely to be meant. */
  amount: Pair | undefined;
  choose: (amount: Pair) => void;
}

export function Balance({ run, complete, amount, choose }: Props) {
  const { data } = useQuery(manifest(run.run_id));
  const pair = data && (amount ? settled(data.sums, amount) : usualPair(data));
  const rows = rowBars(run, complete);
  const amounts = data && pair && amountBars(run, data.sums, pair);
  const sums = data && pair && met(data, pair);
  const scale = Math.max(...rows.map(({ total }) => total.size), 1);
  return (
    <section aria-label="Balance" className="rounded-lg border border-line bg-surface px-5 py-4">
      <div className="grid grid-cols-2 text-sm">
        {rows.map((bar) => (
          <p key={bar.side} className={`flex flex-wrap gap-x-2 ${bar.side === "left" ? "" : "justify-end"}`}>
            <span className="font-semibold">{bar.name}</span>
            <span className="text-quiet">{bar.total.text} rows</span>
            {bar.share && <span className="text-quiet">· {bar.share} matched</span>}
          </p>
        ))}
      </div>
      {/* What is open stands at the ends, where there is room for it however little it is. */}
      <div className="my-3 grid grid-cols-2 [--end:5rem] md:[--end:8rem]">
        {rows.map((bar, index) => (
          <div
            key={bar.side}
            className={`flex h-12 ${bar.side === "left" ? "justify-end border-r-2 border-ink/60" : "flex-row-reverse justify-end"}`}
          >
            <End run={run} bar={bar} amount={amounts?.[index]} />
            <Segment run={run} bar={bar} scale={scale} part="open" amount={amounts?.[index]} />
            <Segment run={run} bar={bar} scale={scale} part="matched" amount={amounts?.[index]} />
          </div>
        ))}
      </div>
      <div className="grid gap-x-8 gap-y-1 text-[13px] lg:grid-cols-2">
        {rows.map((bar, index) => (
          <div key={bar.side} className="grid content-start gap-y-1">
            <Equation bar={bar} />
            {amounts?.[index] && <Equation bar={amounts[index]} />}
          </div>
        ))}
      </div>
      {sums && (
        <div className="mt-1 flex flex-wrap items-center gap-x-4 gap-y-1 text-[13px]">
          <Between sums={sums} />
          <div className="grow" />
          <Columns totals={data} amount={pair} choose={choose} />
        </div>
      )}
    </section>
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

interface PartProps {
  run: Run;
  bar: Bar;
  /** What the rows are worth. */
  amount?: Bar | undefined;
}

/** Where the rows of a part are. */
function way(run: Run, bar: Bar, part: "open" | "matched") {
  const tab: Tab = part === "matched" ? "matched" : `unmatched_${bar.side}`;
  return {
    to: "/runs/$id" as const,
    params: { id: run.run_id },
    search: ({ amount }: { amount?: Pair }) => ({ ...(amount && { amount }), tab }),
  };
}

function End({ run, bar, amount }: PartProps) {
  const open = bar.open.size > 0;
  const colour = bar.side === "left" ? "text-open-left" : "text-open-right";
  return (
    <div
      className={`flex w-(--end) shrink-0 flex-col justify-center px-2 text-xs ${bar.side === "left" ? "items-end" : "items-start"}`}
    >
      {open ? (
        <Link
          {...way(run, bar, "open")}
          className={`grid whitespace-nowrap hover:underline ${bar.side === "left" ? "text-right" : ""} ${colour}`}
        >
          <span className="sr-only">{bar.name}: </span>
          <span className="text-sm font-semibold">{bar.open.text} open</span>{" "}
          {amount && <span className="hidden md:inline">{amount.open.text}</span>}
        </Link>
      ) : (
        <span className="text-quiet">none open</span>
      )}
    </div>
  );
}

function Segment({ run, bar, scale, part, amount }: PartProps & { scale: number; part: "open" | "matched" }) {
  const { size, text } = bar[part];
  if (size === 0) return null;
  const colour = part === "matched" ? "bg-matched" : bar.side === "left" ? "bg-open-left" : "bg-open-right";
  const told = `${bar.name}: ${text} ${part}${amount ? ` ${amount[part].text}` : ""}`;
  return (
    <Link
      {...way(run, bar, part)}
      aria-label={part === "open" ? undefined : told}
      // The end says the same.
      aria-hidden={part === "open"}
      tabIndex={part === "open" ? -1 : undefined}
      title={told}
      className={`@container flex flex-col justify-center overflow-hidden whitespace-nowrap text-on-fill hover:brightness-110 ${colour} ${
        bar.side === "right" ? "text-left" : "text-right"
      }`}
      // Something that is there is seen.
      style={{ width: `max(3px, calc((100% - var(--end)) * ${Math.min(size / scale, 1)}))` }}
    >
      {/* As much of it as there is room for. */}
      {part === "matched" && (
        <>
          <span className="hidden px-3 text-sm font-semibold @[8rem]:inline">{text} matched</span>{" "}
          {amount && <span className="hidden px-3 text-xs @[8rem]:inline">{amount.matched.text}</span>}
        </>
      )}
    </Link>
  );
}

/** The proof that nothing is lost. */
function Equation({ bar }: { bar: Bar }) {
  return (
    <Proven holds={bar.holds}>
      {bar.name}: {bar.total.text} {bar.holds ? "=" : "≠"} {bar.matched.text} matched + {bar.open.text} open
      {bar.rejected > 0 && (
        <span className="text-error">, and {count(bar.rejected)} rejected while reading</span>
      )}
    </Proven>
  );
}

/** Matched rows need not be worth the same: how far they are apart, against what the conditions let through. */
function Between({ sums: { left, sign, apart, right, allowed, off } }: { sums: Met }) {
  const told = apart === undefined ? `${left} = ${right}` : `${left} ${sign} ${apart} = ${right}`;
  const limit = apart === undefined || allowed === undefined ? "" : `, ${allowed} allowed`;
  return (
    <Proven holds={!off} known={allowed !== undefined}>
      matched on both sides: {told}
      {limit}
    </Proven>
  );
}

function Proven({
  holds,
  known = true,
  children,
}: {
  holds: boolean;
  known?: boolean;
  children: React.ReactNode;
}) {
  const Mark = holds ? Check : TriangleAlert;
  return (
    <p className={`flex items-start gap-2 ${holds ? "" : "font-semibold text-error"}`}>
      <Mark
        aria-hidden
        className={`mt-0.5 size-4 shrink-0 ${!known ? "invisible" : holds ? "text-matched" : "text-error"}`}
      />
      <span>{children}</span>
    </p>
  );
}
