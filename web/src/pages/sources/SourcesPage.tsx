/** Where rows come from: what is registered, whether it can be read, what is in it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Column, RegisteredSource } from "../../api/client";
import { forget, sourcePreview, sources as sourcesQuery } from "../../api/sources";
import { Button, SureButton } from "../../components/Button";
import { Filters } from "../../components/Filters";
import { Sample } from "../../components/Sample";
import { Empty, Failed, Skeleton } from "../../components/Shown";
import { type Filter, wire } from "../../state/filters";
import { useTitle } from "../../state/title";
import { Connection } from "./Connection";
import { SourceForm } from "./SourceForm";

export function SourcesPage() {
  const { data, error, refetch } = useQuery(sourcesQuery());
  useTitle("Sources");
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <h1 className="text-xl">Sources</h1>
      {error && !data ? (
        <Failed error={error} again={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={3} height={56} />
      ) : data.sources.length === 0 ? (
        <Empty title="No sources yet">
          Databases and files that reconciliations read again and again are registered here once, under a name
          that recipes use. Files that come anew each time need no source: drop them where they are wanted.
        </Empty>
      ) : (
        <ul className="grid grid-cols-[minmax(0,1fr)] gap-3">
          {data.sources.map((source) => (
            <One key={source.alias} source={source} />
          ))}
        </ul>
      )}
      <SourceForm />
    </div>
  );
}

function One({ source }: { source: RegisteredSource }) {
  const client = useQueryClient();
  const [looking, setLooking] = useState(false);
  const [changing, setChanging] = useState(false);
  const remove = useMutation({
    mutationFn: () => forget(source.alias),
    onSuccess: () => client.invalidateQueries(sourcesQuery()),
  });
  return (
    <li id={source.alias} aria-label={source.alias} className="rounded-lg border border-line bg-surface">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
        <div className="min-w-0 grow">
          <h2 className="text-sm">{source.alias}</h2>
          <p className="truncate font-mono text-xs text-quiet" title={source.uri}>
            {source.uri}
          </p>
          {source.description && <p className="mt-1">{source.description}</p>}
        </div>
        {source.has_credentials && <span className="text-xs text-quiet">login kept, sealed</span>}
        <Button aria-expanded={looking} onClick={() => setLooking(!looking)}>
          {looking ? "Close" : "First rows"}
        </Button>
        <Button aria-expanded={changing} onClick={() => setChanging(!changing)}>
          Change
        </Button>
        <SureButton name="Forget" sure="Really forget it" act={() => remove.mutate()} />
      </div>
      <div className="border-t border-line px-4 py-2">
        <Connection alias={source.alias} />
      </div>
      {remove.error && <Failed error={remove.error} />}
      {changing && (
        <div className="border-t border-line p-4">
          <SourceForm key={source.version} known={source} close={() => setChanging(false)} />
        </div>
      )}
      {looking && <Preview alias={source.alias} />}
    </li>
  );
}

function Preview({ alias }: { alias: string }) {
  const [filters, setFilters] = useState<Filter[]>([]);
  const { data, error, refetch } = useQuery(sourcePreview(alias, wire(filters)));
  // The columns stay while rows under other filters come, or cannot.
  const [columns, setColumns] = useState<Column[]>([]);
  useEffect(() => {
    if (data) setColumns(data.columns);
  }, [data]);
  return (
    <div className="border-t border-line">
      <div className="flex flex-wrap items-center gap-3 px-4 py-2">
        <Filters columns={columns} filters={filters} change={setFilters} />
      </div>
      {error ? (
        <Failed error={error} again={() => void refetch()} />
      ) : data ? (
        <Sample name={alias} columns={data.columns} rows={data.rows} types />
      ) : (
        <Skeleton lines={4} />
      )}
      {data?.rows.length === 0 && <p className="px-4 py-3 text-sm text-quiet">No row passes.</p>}
    </div>
  );
}
