/** What must agree: what is proposed, with its evidence, and what was chosen. */
import { Plus, X } from "lucide-react";
import { useState } from "react";
import type { Column } from "../../api/client";
import { Button } from "../../components/Button";
import { type Condition, type Kind, kinds, NAMES, RULES, type Rule, rules, USUAL, wrong } from "./conditions";
import type { Proposal } from "./proposals";

interface Props {
  left: Column[];
  right: Column[];
  proposals: Proposal[];
  conditions: Condition[];
  /** Whether SQL was written by hand since. */
  byHand: boolean;
  change: (conditions: Condition[]) => void;
}

const FIELD = "h-8 min-w-0 rounded border border-line bg-surface px-2 text-sm";

export function ConditionsBand({ left, right, proposals, conditions, byHand, change }: Props) {
  const open = proposals.filter(
    ({ condition }) =>
      !conditions.some((known) => known.left === condition.left && known.right === condition.right),
  );
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4 rounded-lg border border-line bg-surface p-4">
      {byHand && (
        <p role="status" className="text-sm text-quiet">
          The SQL below was changed by hand and goes before these conditions. A change here replaces it.
        </p>
      )}
      {conditions.length === 0 && (
        <p className="text-sm text-quiet">
          Nothing leads from one side to the other yet: click a column of each, in the tables above, that must
          agree.
        </p>
      )}
      <ul className="grid gap-2">
        {conditions.map((condition, index) => (
          <One
            // biome-ignore lint/suspicious/noArrayIndexKey: a condition may stand twice
            key={index}
            condition={condition}
            left={left}
            right={right}
            change={(next) => change(conditions.with(index, next))}
            remove={() => change(conditions.filter((_, at) => at !== index))}
          />
        ))}
      </ul>
      <Another left={left} right={right} add={(condition) => change([...conditions, condition])} />
      {open.length > 0 && (
        <div>
          <h3 className="mb-2 text-sm text-quiet">Proposed</h3>
          <ul className="flex flex-wrap gap-2">
            {open.map(({ condition, evidence }) => (
              <li key={`${condition.left} ${condition.right}`}>
                <Button title={evidence} onClick={() => change([...conditions, condition])}>
                  <Plus aria-hidden className="size-3.5" />
                  {condition.left} = {condition.right}
                  <span className="max-w-72 truncate text-xs text-quiet">{evidence}</span>
                </Button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function One({
  condition,
  left,
  right,
  change,
  remove,
}: {
  condition: Condition;
  left: Column[];
  right: Column[];
  change: (condition: Condition) => void;
  remove: () => void;
}) {
  const type = (columns: Column[], name: string) =>
    columns.find((column) => column.name === name)?.type ?? "text";
  const possible = kinds(type(left, condition.left), type(right, condition.right));
  const complaint = wrong(condition);
  const become = (kind: Kind) => {
    const { within: _, ...rest } = condition;
    change({ ...rest, kind, ...(USUAL[kind] !== undefined && { within: USUAL[kind] }) });
  };
  return (
    <li className="flex flex-wrap items-center gap-2 text-sm">
      <code className="rounded bg-raised px-2 py-1 font-mono text-[13px]">{condition.left}</code>
      <select
        aria-label={`How ${condition.left} and ${condition.right} agree`}
        value={condition.kind}
        onChange={(event) => become(event.target.value as Kind)}
        className={FIELD}
      >
        {possible.map((kind) => (
          <option key={kind} value={kind}>
            {NAMES[kind]}
          </option>
        ))}
      </select>
      {condition.kind === "key" && <Rules condition={condition} change={change} />}
      {condition.kind !== "equal" && condition.kind !== "key" && (
        <input
          aria-label={`How far ${condition.left} and ${condition.right} may be apart`}
          aria-invalid={complaint !== undefined}
          inputMode="decimal"
          value={condition.within ?? ""}
          onChange={(event) => change({ ...condition, within: event.target.value.trim() })}
          className={`${FIELD} w-20 text-right ${complaint ? "border-error" : ""}`}
        />
      )}
      <code className="rounded bg-raised px-2 py-1 font-mono text-[13px]">{condition.right}</code>
      <button
        type="button"
        onClick={remove}
        aria-label={`Ask nothing of ${condition.left} and ${condition.right}`}
        className="rounded p-1 text-quiet hover:bg-raised"
      >
        <X aria-hidden className="size-4" />
      </button>
      {complaint && <span className="text-error">{complaint}</span>}
    </li>
  );
}

/** What two keys may differ in. */
function Rules({ condition, change }: { condition: Condition; change: (condition: Condition) => void }) {
  const chosen = rules(condition);
  const turn = (rule: Rule) => {
    const next = chosen.includes(rule) ? chosen.filter((one) => one !== rule) : [...chosen, rule];
    change({ ...condition, within: next.join(",") });
  };
  return (
    <fieldset className="flex flex-wrap gap-1">
      <legend className="sr-only">
        What {condition.left} and {condition.right} may differ in
      </legend>
      {(Object.keys(RULES) as Rule[]).map((rule) => (
        <button
          key={rule}
          type="button"
          aria-pressed={chosen.includes(rule)}
          onClick={() => turn(rule)}
          className={`h-8 rounded border border-line px-2 ${chosen.includes(rule) ? "bg-raised font-semibold" : "text-quiet hover:bg-raised"}`}
        >
          {RULES[rule]}
        </button>
      ))}
    </fieldset>
  );
}

function Another({
  left,
  right,
  add,
}: {
  left: Column[];
  right: Column[];
  add: (condition: Condition) => void;
}) {
  const [l, setLeft] = useState("");
  const [r, setRight] = useState("");
  const choice = (label: string, columns: Column[], value: string, set: (name: string) => void) => (
    <select aria-label={label} value={value} onChange={(event) => set(event.target.value)} className={FIELD}>
      <option value="">{label}</option>
      {columns.map((column) => (
        <option key={column.name} value={column.name}>
          {column.name} ({column.type})
        </option>
      ))}
    </select>
  );
  return (
    <div className="flex flex-wrap items-center gap-2">
      {choice("Column of the left side", left, l, setLeft)}
      {choice("Column of the right side", right, r, setRight)}
      <Button
        disabled={!l || !r}
        onClick={() => {
          add({ left: l, right: r, kind: "equal" });
          setLeft("");
          setRight("");
        }}
      >
        <Plus aria-hidden className="size-3.5" />
        Add
      </Button>
    </div>
  );
}
