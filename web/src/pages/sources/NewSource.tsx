/** A source to register: its name, and where it is. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { register, sources } from "../../api/queries";
import { MainButton } from "../../components/Button";
import { Failed } from "../../components/Shown";

const FORMS = [
  ["a table of Postgres", "postgres://user:password@host:5432/database?table=schema.table"],
  ["an object in S3", "s3://bucket/path/file.csv"],
  ["an object in Google Cloud Storage", "gs://bucket/path/file.parquet"],
  ["a file that the worker sees", "/data/exports/file.csv"],
] as const;

export function NewSource() {
  const id = useId();
  const client = useQueryClient();
  const [source, setSource] = useState({ alias: "", uri: "", description: "" });
  const save = useMutation({
    mutationFn: () =>
      register({ ...source, type: "unspecified", has_credentials: false, primary_key: [], version: 0 }),
    onSuccess: () => {
      setSource({ alias: "", uri: "", description: "" });
      return client.invalidateQueries(sources());
    },
  });
  const field = (name: keyof typeof source, label: string, wide: string, required = true) => (
    <div className={`grid gap-1 ${wide}`}>
      <label htmlFor={`${id}-${name}`} className="text-quiet">
        {label}
      </label>
      <input
        id={`${id}-${name}`}
        value={source[name]}
        required={required}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setSource({ ...source, [name]: event.target.value })}
        className="h-8 rounded border border-line bg-ground px-2"
      />
    </div>
  );
  return (
    <section
      aria-label="Add a source"
      className="max-w-4xl rounded-lg border border-line bg-surface p-4 text-sm"
    >
      <h2 className="mb-3 text-base">Add a source</h2>
      <form
        className="grid gap-3 md:grid-cols-3"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        {field("alias", "Name, as recipes call it", "")}
        {field("uri", "Address", "md:col-span-2")}
        {field("description", "What it holds", "md:col-span-3", false)}
        <MainButton type="submit" disabled={save.isPending} className="justify-self-start">
          {save.isPending ? "Adding …" : "Add"}
        </MainButton>
      </form>
      {save.error && (
        <div className="mt-3">
          <Failed error={save.error} />
        </div>
      )}
      <dl className="mt-4 grid gap-x-4 gap-y-1 text-xs text-quiet md:grid-cols-[auto_minmax(0,1fr)]">
        {FORMS.map(([what, form]) => (
          <div key={what} className="contents">
            <dt>{what}</dt>
            <dd className="font-mono break-all">{form}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-2 text-xs text-quiet">
        User and password are sealed when they arrive, and never shown again.
      </p>
    </section>
  );
}
