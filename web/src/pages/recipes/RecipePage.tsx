/** One recipe: run it on new files, see how its runs went, read what it says and said. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Recipe } from "../../api/client";
import { deleteRecipe, recipe as recipeQuery, versions as versionsQuery } from "../../api/recipes";
import { begin, runs as runsQuery } from "../../api/runs";
import { side as sideQuery } from "../../api/sources";
import { Band } from "../../components/Band";
import { Button, MainButton, SureButton } from "../../components/Button";
import { Crumb } from "../../components/Crumb";
import { Failed, Skeleton } from "../../components/Shown";
import { SideCard } from "../../components/SideCard";
import { Sql } from "../../components/Sql";
import { Ago } from "../../components/Time";
import { useDrop, useUploads } from "../../components/uploads";
import { useOffer } from "../../state/commands";
import { useTitle } from "../../state/title";
import { RunList } from "../runs/RunList";
import { compared } from "./compared";
import { Described } from "./Described";
import { type Editing, EditRecipe } from "./EditRecipe";
import { save, toYaml } from "./files";
import { policyWords } from "./policy";
import { rate } from "./standing";
import { Trend } from "./Trend";
import { Versions } from "./Versions";

/** What is looked at; it stands in the address. */
export interface Look {
  /** Ids of uploads for the next run. */
  left?: string;
  right?: string;
  /** Whether it is being changed, or copied. */
  edit?: Editing;
}

interface Props {
  id: string;
  look: Look;
  /** Changes what is given, and leaves the rest as it is by then: two files may arrive at once. */
  become: (change: Look) => void;
}

export function RecipePage({ id, look, become }: Props) {
  const { data: recipe, error, refetch } = useQuery(recipeQuery(id));
  const runs = useQuery(runsQuery(id));
  const versions = useQuery(versionsQuery(id));
  useTitle(recipe && (recipe.name || recipe.recipe_id));
  if (error && !recipe) return <Failed error={error} again={() => void refetch()} />;
  if (!recipe) return <Skeleton lines={4} height={56} />;
  const completed = runs.data?.runs.filter((run) => run.state === "completed") ?? [];
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
      <header className="flex flex-wrap items-center gap-x-6 gap-y-2">
        <div className="min-w-0 grow">
          <Crumb to="/recipes" name="Recipes" />
          <h1 className="text-xl">{recipe.name || recipe.recipe_id}</h1>
          <p className="text-sm text-quiet">
            {recipe.recipe_id}, version {recipe.version}
            {recipe.updated && (
              <>
                {" "}
                · saved <Ago at={recipe.updated} />
              </>
            )}
          </p>
        </div>
        <Trend rates={completed.flatMap(({ complete }) => (complete ? rate(complete) : [])).reverse()} />
        <Actions recipe={recipe} edit={(edit) => become({ edit })} />
      </header>
      {look.edit && (
        <Band title={look.edit === "copy" ? "A copy" : "Change it"}>
          <EditRecipe
            key={look.edit}
            recipe={recipe}
            editing={look.edit}
            latest={completed[0] ?? runs.data?.runs[0]}
            close={() => become({ edit: undefined })}
          />
        </Band>
      )}
      <Again recipe={recipe} look={look} become={become} />
      <Band title="Runs">
        {!runs.data ? (
          <Skeleton />
        ) : runs.data.runs.length === 0 ? (
          <p className="text-sm text-quiet">It has not run yet.</p>
        ) : (
          <RunList runs={runs.data.runs} />
        )}
        {recipe.policy && <p className="mt-3 text-sm text-quiet">{policyWords(recipe.policy)}</p>}
      </Band>
      <Band title="How rows match">
        <div className="mb-3">
          {recipe.match_description ? (
            <Described recipe={recipe} />
          ) : (
            <p className="max-w-prose text-sm whitespace-pre-line">{recipe.description}</p>
          )}
        </div>
        <Sql text={recipe.match_sql} />
        {recipe.compare && <p className="mt-3 text-sm">{compared(recipe.compare)}</p>}
      </Band>
      {versions.data && versions.data.length > 1 && (
        <Band title="Versions">
          <Versions versions={versions.data} />
        </Band>
      )}
    </div>
  );
}

function Actions({ recipe, edit }: { recipe: Recipe; edit: (edit: Editing) => void }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteRecipe(recipe.recipe_id),
    onSuccess: async () => {
      await navigate({ to: "/recipes" });
      await client.invalidateQueries({ queryKey: ["recipes"] });
    },
  });
  const download = async () => save(`${recipe.recipe_id}.yaml`, await toYaml(recipe));
  useOffer([
    { name: "Change this recipe", act: () => edit("version") },
    { name: "Copy this recipe", act: () => edit("copy") },
    { name: "Download this recipe as YAML", act: () => void download() },
  ]);
  return (
    <div className="flex flex-wrap gap-2">
      <Button onClick={() => edit("version")}>Change</Button>
      <Button onClick={() => edit("copy")}>Copy</Button>
      <Button onClick={() => void download()}>YAML</Button>
      <SureButton name="Delete" sure="Really delete it" act={() => remove.mutate()} />
      {remove.error && <Failed error={remove.error} />}
    </div>
  );
}

/** Another run: the files that it wants anew, and those that it reads where they are. */
function Again({ recipe, look, become }: { recipe: Recipe; look: Look; become: Props["become"] }) {
  const navigate = useNavigate();
  const uploads = useUploads((side, id) => become({ [side]: id }));
  const found = {
    left: useQuery(sideQuery(look.left ?? "")),
    right: useQuery(sideQuery(look.right ?? "")),
  };
  useDrop((files) => uploads.take(files, look));
  const wanted = (["left", "right"] as const).filter((side) => wants(recipe, side));
  const ready = wanted.every((side) => look[side]);
  const run = useMutation({
    mutationFn: () => {
      const given = wanted.map((side) => [side, { upload_id: look[side], filters: [] }]);
      return begin({ recipe_id: recipe.recipe_id, recipe_version: 0, sources: Object.fromEntries(given) });
    },
    onSuccess: (made) => void navigate({ to: "/runs/$id", params: { id: made.run_id } }),
  });
  return (
    <Band title="Run it again">
      <div className="grid gap-4 lg:grid-cols-2">
        {(["left", "right"] as const).map((side) =>
          wanted.includes(side) ? (
            <div key={side} className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-2">
              <p className="text-sm font-semibold">{recipe.sources?.[side]?.alias}</p>
              <SideCard
                side={side}
                state={uploads.state[side]}
                found={found[side]}
                take={(files) => uploads.take(files, look, side)}
                drop={() => become({ [side]: undefined })}
              />
            </div>
          ) : (
            <div key={side} className="grid min-w-0 content-start gap-2 text-sm">
              <p className="font-semibold">{recipe.sources?.[side]?.alias}</p>
              <p className="rounded-lg border border-line bg-surface p-4 font-mono text-xs break-all">
                {recipe.sources?.[side]?.uri ?? "the registered source of this name"}
              </p>
            </div>
          ),
        )}
      </div>
      <MainButton disabled={!ready || run.isPending} onClick={() => run.mutate()} className="mt-4">
        {run.isPending ? "Beginning …" : "Run"}
      </MainButton>
      {run.error && (
        <div className="mt-3">
          <Failed error={run.error} />
        </div>
      )}
    </Band>
  );
}

/** Whether each run brings this side as a file of its own. */
function wants(recipe: Recipe, side: "left" | "right"): boolean {
  const source = recipe.sources?.[side];
  return source?.type === "file" && !source.uri;
}
