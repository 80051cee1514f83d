/** What a run has found, in the sentence of the engine: each part of it leads to its rows. */
import { Link } from "@tanstack/react-router";
import { Check, CircleAlert, Equal, TriangleAlert } from "lucide-react";
import type { Complete, Finding, Run, Verdict as Told } from "../api/client";
import { localised, parted } from "../format/sentences";
import type { View } from "../state/view";

/** Where the rows are that it is about. */
function rows({ kind }: Finding): View {
  switch (kind) {
    case "unmatched_left":
    case "unmatched_right":
    case "rejected_left":
    case "rejected_right":
      return { tab: kind };
    case "multiple_left":
    case "multiple_right":
    case "apart":
      return { tab: "matched", only: kind };
    case "differing":
    case "one_sided":
      return { tab: "matched" };
    case "rejected_extra":
    case "unspecified":
      return { tab: "proof" };
  }
}

export function Verdict({ run, verdict }: { run: Run; verdict: Told }) {
  const wrong = verdict.findings.some((finding) => finding.wrong);
  const [Mark, colour] =
    verdict.agreement === "agree"
      ? [Check, "text-matched"]
      : wrong
        ? [TriangleAlert, "text-error"]
        : verdict.agreement === "empty"
          ? [Equal, "text-quiet"]
          : [CircleAlert, "text-open-left"];
  return (
    <section aria-label="Verdict" className="flex items-start gap-2.5">
      <Mark aria-hidden className={`mt-0.5 size-5 shrink-0 ${colour}`} />
      <p className="max-w-[100ch]">
        {parted(verdict.sentence, verdict.findings).map((part) =>
          typeof part === "string" ? (
            localised(part)
          ) : (
            <Link
              key={part.text}
              to="/runs/$id"
              params={{ id: run.run_id }}
              search={({ amount }: View) => ({ ...(amount && { amount }), ...rows(part) })}
              className={`underline decoration-1 underline-offset-4 hover:decoration-2 ${part.wrong ? "font-semibold text-error" : ""}`}
            >
              {localised(part.text)}
            </Link>
          ),
        )}
      </p>
    </section>
  );
}

/** Of a list: what is wrong with it, if anything is. */
export function wrongs(complete: Complete): string | undefined {
  const wrong = complete.verdict?.findings.filter((finding) => finding.wrong) ?? [];
  return wrong.length > 0 ? wrong.map(({ text }) => localised(text)).join("; ") : undefined;
}
