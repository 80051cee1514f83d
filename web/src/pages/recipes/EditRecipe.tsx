/** A recipe to change: its next version, or a copy under another name. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import type { CreateRunRequest, Recipe, Run } from "../../api/client";
import { checked, saveNew, saveVersion } from "../../api/recipes";
import { Button, MainButton } from "../../components/Button";
import { tables, wrongSql } from "../../components/checking";
import { Failed } from "../../components/Shown";
import { EditSql } from "../../components/Sql";
import { slug } from "../../format/names";
import { useSettled } from "../../state/settled";

export type Editing = "version" | "copy";

interface Props {
  recipe: Recipe;
  editing: Editing;
  /** Whose files the SQL is checked against, where the recipe has none of its own. */
  latest: Run | undefined;
  close: () => void;
}

export function EditRecipe({ recipe, editing, latest, close }: Props) {
  const id = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const copy = editing === "copy";
  const [draft, setDraft] = useState(() => ({
    name: copy ? `${recipe.name} (copy)` : recipe.name,
    description: recipe.description,
    match_description: recipe.match_description,
    match_sql: recipe.match_sql,
  }));
  const next: Recipe = { ...recipe, ...draft };
  const { data, error } = useQuery(checked(useSettled(request(next, latest), 300)));
  const wrong = wrongSql(error);
  const save = useMutation({
    mutationFn: () =>
      copy ? saveNew({ ...next, recipe_id: slug(draft.name) }) : saveVersion(next, recipe.version ?? 0),
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ["recipes"] });
      close();
      if (copy) void navigate({ to: "/recipes/$id", params: { id: saved.recipe_id } });
    },
  });
  const lines = (name: "description" | "match_description", label: string) => (
    <div className="grid gap-1">
      <label htmlFor={`${id}-${name}`} className="text-quiet">
        {label}
      </label>
      <textarea
        id={`${id}-${name}`}
        value={draft[name]}
        rows={Math.min(10, draft[name].split("\n").length)}
        onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
        className="rounded border border-line bg-ground px-2 py-1"
      />
    </div>
  );
  return (
    <form
      className="grid grid-cols-[minmax(0,1fr)] gap-3 rounded-lg border border-line bg-surface p-4 text-sm"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <div className="grid gap-1">
        <label htmlFor={`${id}-name`} className="text-quiet">
          Name
        </label>
        <input
          id={`${id}-name`}
          value={draft.name}
          required
          maxLength={200}
          onChange={(event) => setDraft({ ...draft, name: event.target.value })}
          className="h-8 rounded border border-line bg-ground px-2"
        />
      </div>
      {lines("description", "What it is for")}
      {lines("match_description", "How rows match, in words")}
      {draft.match_description !== "" &&
        draft.match_sql !== recipe.match_sql &&
        draft.match_description === recipe.match_description && (
          <p role="status" className="text-open-left">
            The SQL is another one now: do these words still say what it does?
          </p>
        )}
      <span className="text-quiet">How rows match, as SQL</span>
      <EditSql
        id={`${id}-sql`}
        label="How rows match, as SQL"
        text={draft.match_sql}
        change={(match_sql) => setDraft((now) => ({ ...now, match_sql }))}
        tables={tables(data?.sources ?? [])}
        wrong={wrong}
      />
      {wrong.length > 0 && (
        <ul role="status" className="text-error">
          {wrong.map((message) => (
            <li key={message}>{message}</li>
          ))}
        </ul>
      )}
      {data && data.notes.length > 0 && (
        <ul role="status" className="text-quiet">
          {data.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      {copy && /:\/\//.test(JSON.stringify(recipe.sources)) && (
        <p className="text-quiet">
          Logins in addresses are sealed and not copied: registered sources keep theirs.
        </p>
      )}
      <div className="flex gap-3">
        <MainButton type="submit" disabled={save.isPending}>
          {copy ? "Save the copy" : `Save as version ${(recipe.version ?? 0) + 1}`}
        </MainButton>
        <Button onClick={close}>Leave it as it is</Button>
      </div>
      {save.error && <Failed error={save.error} />}
    </form>
  );
}

/** The recipe over the files of its latest run. */
function request(recipe: Recipe, latest: Run | undefined): CreateRunRequest {
  const sources: CreateRunRequest["sources"] = {};
  for (const [index, side] of (["left", "right"] as const).entries()) {
    const upload_id = latest?.sources[index]?.upload_id;
    if (upload_id && !recipe.sources?.[side]?.uri) sources[side] = { upload_id, filters: [] };
  }
  return {
    recipe_id: "",
    recipe_version: 0,
    recipe: { ...recipe, name: "", description: "", match_description: "", described_version: undefined },
    sources,
  };
}
