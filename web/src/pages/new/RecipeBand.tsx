/** The recipe: in words, as SQL, and under a name by which it runs again. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId } from "react";
import { saveNew, tried } from "../../api/recipes";
import { begin } from "../../api/runs";
import { Button, MainButton } from "../../components/Button";
import { wrongSql } from "../../components/checking";
import { Failed } from "../../components/Shown";
import { EditSql } from "../../components/Sql";
import { useSettled } from "../../state/settled";
import type { Condition } from "./conditions";
import { type Plan, SETTLED, withColumns } from "./plan";

interface Props {
  plan: Plan;
  /** Columns by table. */
  tables: Record<string, string[]>;
  conditions: Condition[];
  byHand: boolean;
  /** Whether the other columns of rows that match are compared. */
  compare: boolean;
  toCompare: (compare: boolean) => void;
  name: string;
  rename: (name: string) => void;
  /** SQL by hand; nothing: as the conditions say. */
  write: (sql: string | undefined) => void;
}

export function RecipeBand({
  plan,
  tables,
  conditions,
  byHand,
  compare,
  toCompare,
  name,
  rename,
  write,
}: Props) {
  const { recipe, request } = plan;
  const navigate = useNavigate();
  const client = useQueryClient();
  const id = useId();
  // It is being tried above: what is wrong with it is known from there.
  const { error } = useQuery(tried(useSettled(request, SETTLED)));
  const run = useMutation({
    mutationFn: async () => {
      const saved = await saveNew(byHand ? recipe : withColumns(recipe, conditions));
      const { recipe: _, ...rest } = request;
      return begin({ ...rest, recipe_id: saved.recipe_id });
    },
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ["recipes"] });
      void navigate({ to: "/runs/$id", params: { id: made.run_id } });
    },
  });
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3 rounded-lg border border-line bg-surface p-4 text-sm">
      {recipe.match_description && <p>{recipe.match_description}</p>}
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={compare}
          onChange={(event) => toCompare(event.target.checked)}
          className="size-4 accent-accent"
        />
        Compare the other columns of rows that match, all that have one name on both sides
      </label>
      <div className="flex items-center gap-3 text-quiet">
        As SQL
        {byHand && (
          <Button className="h-6" onClick={() => write(undefined)}>
            Back to the conditions
          </Button>
        )}
      </div>
      <EditSql
        id={`${id}-sql`}
        label="As SQL"
        text={recipe.match_sql}
        change={(text) => text !== recipe.match_sql && write(text)}
        tables={tables}
        wrong={wrongSql(error)}
      />
      <form
        className="flex flex-wrap items-center gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          run.mutate();
        }}
      >
        <label htmlFor={`${id}-name`} className="text-quiet">
          Name
        </label>
        <input
          id={`${id}-name`}
          value={name}
          required
          maxLength={200}
          onChange={(event) => rename(event.target.value)}
          className="h-8 w-full max-w-96 rounded border border-line bg-surface px-2"
        />
        <MainButton type="submit" disabled={run.isPending || name.trim() === ""}>
          {run.isPending ? "Saving …" : "Save and run"}
        </MainButton>
      </form>
      {run.error && <Failed error={run.error} />}
    </div>
  );
}
