/** From two files to a saved recipe: two sides, what must agree, what it gives, the recipe. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { side as sideQuery } from "../../api/sources";
import { Band } from "../../components/Band";
import { tables } from "../../components/checking";
import { Failed } from "../../components/Shown";
import { SideCard } from "../../components/SideCard";
import { type SideName, useDrop, useUploads } from "../../components/uploads";
import { handed } from "../../state/handed";
import { useTitle } from "../../state/title";
import { ConditionsBand } from "./ConditionsBand";
import type { Condition } from "./conditions";
import { OutcomeBand } from "./OutcomeBand";
import { type Draft, plan, title } from "./plan";
import { propose } from "./proposals";
import { RecipeBand } from "./RecipeBand";

interface Props {
  draft: Draft;
  /** Changes what is given, and leaves the rest as it is by then: two files may arrive at once. */
  become: (change: Draft, replace?: boolean) => void;
}

/** By column the numbers of the conditions that it is part of. */
function parts(columns: string[]): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const [index, column] of columns.entries()) found[column] = [...(found[column] ?? []), index + 1];
  return found;
}

export function NewPage({ draft, become }: Props) {
  const left = useQuery(sideQuery(draft.left ?? "", draft.nulls?.left));
  const right = useQuery(sideQuery(draft.right ?? "", draft.nulls?.right));
  const put = (side: SideName, id: string | undefined) =>
    become({
      [side]: id,
      nulls: { ...draft.nulls, [side]: undefined },
      conditions: undefined,
      sql: undefined,
    });
  const read = (side: SideName, nulls: string[]) => become({ nulls: { ...draft.nulls, [side]: nulls } });
  const uploads = useUploads(put);
  useTitle("New reconciliation");
  // biome-ignore lint/correctness/useExhaustiveDependencies: files come along once, when the page is opened
  useEffect(() => {
    const files = handed();
    if (files.length > 0) uploads.take(files, draft);
  }, []);

  const both = useMemo(
    () => (left.data && right.data ? { left: left.data, right: right.data } : undefined),
    [left.data, right.data],
  );
  const proposals = useMemo(() => (both ? propose(both.left.preview, both.right.preview) : []), [both]);
  // What leads from one side to the other is tried at once; everything else is a click away.
  const key = proposals.find((proposal) => proposal.key);
  const chosen = draft.conditions ?? (key ? [key.condition] : []);
  const [name, setName] = useState<string>();
  const called = name ?? (both ? title(both.left, both.right) : "");
  const now = both && plan({ ...draft, conditions: chosen }, both.left, both.right, called);

  const [picked, setPicked] = useState<Partial<Record<SideName, string>>>({});
  // A column of each side makes a condition.
  const pick = (side: SideName, column: string) => {
    const next = { ...picked, [side]: picked[side] === column ? undefined : column };
    setPicked(next.left && next.right ? {} : next);
    if (next.left && next.right) {
      const condition: Condition = { left: next.left, right: next.right, kind: "equal" };
      become({ conditions: [...chosen, condition], sql: undefined });
    }
  };
  const picking = (side: SideName) =>
    both && {
      pick: (column: string) => pick(side, column),
      picked: picked[side],
      part: parts(chosen.map((condition) => condition[side])),
    };

  const over = useDrop((files) => uploads.take(files, draft));
  return (
    <div
      className={`grid grid-cols-[minmax(0,1fr)] gap-6 ${over ? "rounded-lg outline-2 outline-offset-8 outline-accent outline-dashed" : ""}`}
    >
      <h1 className="text-xl">New reconciliation</h1>
      <Band number={1} title="Two sides">
        <div className="grid gap-4 lg:grid-cols-2">
          {(["left", "right"] as const).map((side) => (
            <SideCard
              key={side}
              side={side}
              state={uploads.state[side]}
              found={side === "left" ? left : right}
              take={(files) => uploads.take(files, draft, side)}
              drop={() => put(side, undefined)}
              nulls={draft.nulls?.[side]}
              read={(nulls) => read(side, nulls)}
              picking={picking(side)}
              choose={(id) => put(side, id)}
            />
          ))}
        </div>
      </Band>
      {both && (
        <Band number={2} title="What must agree">
          <ConditionsBand
            left={both.left.preview.columns}
            right={both.right.preview.columns}
            proposals={proposals}
            conditions={chosen}
            byHand={draft.sql !== undefined}
            change={(conditions) => become({ conditions, sql: undefined }, true)}
          />
        </Band>
      )}
      {both && now && (
        <Band number={3} title="What it gives">
          <OutcomeBand request={now.request} names={now.recipe.sources} />
        </Band>
      )}
      {both && now && (
        <Band number={4} title="The recipe">
          <RecipeBand
            plan={now}
            tables={tables([
              { alias: now.recipe.sources?.left?.alias ?? "", columns: both.left.preview.columns },
              { alias: now.recipe.sources?.right?.alias ?? "", columns: both.right.preview.columns },
            ])}
            conditions={chosen}
            byHand={draft.sql !== undefined}
            compare={draft.compare ?? false}
            toCompare={(compare) => become({ conditions: chosen, compare }, true)}
            name={called}
            rename={setName}
            write={(sql) => become({ conditions: chosen, sql }, true)}
          />
        </Band>
      )}
      {uploads.extra && <Failed error={new Error(uploads.extra)} />}
    </div>
  );
}
