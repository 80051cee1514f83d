/** How the rows of a recipe match, in words; where they were written for another SQL, that is said. */
import { TriangleAlert } from "lucide-react";
import type { Recipe } from "../../api/client";

export function Described({ recipe }: { recipe: Recipe }) {
  const { match_description, described_version } = recipe;
  if (!match_description) return null;
  return (
    <>
      {described_version !== undefined && (
        <p className="mb-1 flex items-center gap-1.5 text-sm text-open-left">
          <TriangleAlert aria-hidden className="size-4 shrink-0" />
          Written for version {described_version}: the SQL has changed since.
        </p>
      )}
      <p
        className={`max-w-prose text-sm whitespace-pre-line ${described_version === undefined ? "" : "text-quiet"}`}
      >
        {match_description}
      </p>
    </>
  );
}

/** Of a list: words that are true, or none. */
export function summary({ match_description, described_version, description, recipe_id }: Recipe): string {
  const words = described_version === undefined ? match_description : "";
  return words || description || recipe_id;
}
