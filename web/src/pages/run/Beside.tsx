/** Matches that are looked at because of those beside them: of rows that match more than once, and of rows that do not add up. */
import type { Complete, FindingKind, Run } from "../../api/client";
import { aliases } from "../../components/Balance";
import { count } from "../../format/numbers";
import type { Only } from "../../state/view";

interface Props {
  run: Run;
  complete: Complete;
  only: Only | undefined;
  choose: (only: Only | undefined) => void;
}

export function Beside({ run, complete, only, choose }: Props) {
  const [left, right] = aliases(run);
  const has = (kind: FindingKind) => complete.verdict?.findings.some((finding) => finding.kind === kind);
  const several = (name: string, rows = 0) =>
    `${count(rows)} ${rows === 1 ? "row" : "rows"} of ${name} more than once`;
  const choices: { only: Only; name: string; there: boolean | undefined }[] = [
    { only: "apart", name: "Beyond what is allowed", there: has("apart") },
    {
      only: "multiple_left",
      name: several(left, complete.multiple_left?.rows),
      there: complete.multiple_left !== undefined,
    },
    {
      only: "multiple_right",
      name: several(right, complete.multiple_right?.rows),
      there: complete.multiple_right !== undefined,
    },
  ];
  const shown = choices.filter((choice) => choice.there || choice.only === only);
  if (shown.length === 0) return null;
  return (
    <fieldset className="mb-3 flex flex-wrap items-center gap-2 text-sm">
      <legend className="sr-only">Which matches</legend>
      {[{ only: undefined, name: "All matches" }, ...shown].map((choice) => (
        <button
          key={choice.name}
          type="button"
          aria-pressed={choice.only === only}
          onClick={() => choose(choice.only)}
          className={`h-7 rounded-full border px-3 ${
            choice.only === only
              ? "border-accent bg-raised font-semibold"
              : "border-line text-quiet hover:bg-raised"
          }`}
        >
          {choice.name}
        </button>
      ))}
    </fieldset>
  );
}
