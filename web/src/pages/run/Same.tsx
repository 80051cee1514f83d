/** Earlier runs that read the same by the same rule: they must have found the same. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Equal, TriangleAlert } from "lucide-react";
import type { Manifest, Run } from "../../api/client";
import { manifest as manifestQuery, runs as runsQuery } from "../../api/runs";
import { uploaded } from "../../api/sources";
import { Ago } from "../../components/Time";
import { type Likeness, likeness, sameInputs } from "./same";

/** Runs that are looked at, the latest first. */
const LOOKED_AT = 8;

const FOUND: Record<Likeness, string> = {
  bytes: "found the same, to the byte",
  counts: "found the same rows and sums",
  differs: "found something else",
};

/** Whether `a` was asked for before `b`. */
function before(a: Run, b: Run): boolean {
  return Date.parse(a.created ?? "") < Date.parse(b.created ?? "");
}

export function Same({ run, manifest }: { run: Run; manifest: Manifest }) {
  const { data } = useQuery({ ...runsQuery(run.recipe_id), enabled: run.recipe_id !== "" });
  const earlier = (data?.runs ?? [])
    .filter((other) => other.state === "completed" && before(other, run))
    .slice(0, LOOKED_AT);
  const manifests = useQueries({ queries: earlier.map((other) => manifestQuery(other.run_id)) });
  const ids = [run, ...earlier].flatMap((one) => one.sources.flatMap(({ upload_id }) => upload_id ?? []));
  const files = useQueries({ queries: [...new Set(ids)].map(uploaded) });
  const sha256 = (id: string) => files.find((file) => file.data?.upload_id === id)?.data?.sha256;
  const same = earlier.flatMap((other, index) => {
    const own = manifests[index]?.data;
    if (!own || !sameInputs({ run, manifest }, { run: other, manifest: own }, sha256)) return [];
    return [{ other, found: likeness(manifest, own) }];
  });
  if (same.length === 0) return null;
  return (
    <section aria-label="Same inputs, same result">
      <ul className="grid gap-1 rounded-lg border border-line bg-surface px-4 py-3">
        {same.map(({ other, found }) => {
          const Mark = found === "differs" ? TriangleAlert : Equal;
          return (
            <li
              key={other.run_id}
              className={`flex items-center gap-2 ${found === "differs" ? "font-semibold text-error" : ""}`}
            >
              <Mark aria-hidden className={`size-4 shrink-0 ${found === "differs" ? "" : "text-matched"}`} />
              <span>
                The run of{" "}
                <Link
                  to="/runs/$id"
                  params={{ id: other.run_id }}
                  search={{ tab: "proof" }}
                  className="text-accent underline"
                >
                  {other.created && <Ago at={other.created} />}
                </Link>{" "}
                read the same inputs by the same SQL, and {FOUND[found]}.
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
