/** A recipe from a file: new, or the next version of the one of its id. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useRef } from "react";
import type { Recipe } from "../../api/client";
import { recipe as recipeQuery, saveIfFree, saveVersion } from "../../api/recipes";
import { Button } from "../../components/Button";
import { Failed } from "../../components/Shown";
import { fromFile } from "./files";

export function Import() {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const done = async ({ recipe_id }: Recipe) => {
    await client.invalidateQueries({ queryKey: ["recipes"] });
    void navigate({ to: "/recipes/$id", params: { id: recipe_id } });
  };
  const add = useMutation({
    mutationFn: async (file: File) => {
      const read = await fromFile(await file.text());
      return { read, saved: await saveIfFree(read) };
    },
    onSuccess: ({ saved }) => saved && done(saved),
  });
  const replace = useMutation({
    mutationFn: async (read: Recipe) => {
      const known = await client.fetchQuery({ ...recipeQuery(read.recipe_id), staleTime: 0 });
      return saveVersion(read, known.version ?? 0);
    },
    onSuccess: done,
  });
  const taken = add.data && !add.data.saved ? add.data.read : undefined;
  const error = add.error ?? replace.error;
  return (
    <div className="grid gap-2 text-sm">
      <label htmlFor={id} className="sr-only">
        A recipe as YAML or JSON
      </label>
      <input
        ref={field}
        id={id}
        type="file"
        accept=".yaml,.yml,.json"
        tabIndex={-1}
        className="sr-only"
        onChange={({ target }) => {
          const file = target.files?.[0];
          if (file) add.mutate(file);
          // The same file may be chosen again, once it is mended.
          target.value = "";
        }}
      />
      <Button className="justify-self-end" onClick={() => field.current?.click()}>
        Add from a file
      </Button>
      {taken && (
        <p role="status" className="flex flex-wrap items-center gap-3">
          There is a recipe <code className="font-mono text-xs">{taken.recipe_id}</code> already.
          <Button onClick={() => replace.mutate(taken)}>Make this its next version</Button>
          <Button onClick={() => add.reset()}>Leave it</Button>
        </p>
      )}
      {error && <Failed error={error} />}
    </div>
  );
}
