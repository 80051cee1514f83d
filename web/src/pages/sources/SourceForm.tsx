/** A source to register or to change: its name, and where it is. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import type { RegisteredSource } from "../../api/client";
import { changeSource, register, sources } from "../../api/sources";
import { Button, MainButton } from "../../components/Button";
import { Failed } from "../../components/Shown";

const FORMS = [
  ["a table of Postgres", "postgres://user:password@host:5432/database?table=schema.table"],
  ["an object in S3", "s3://bucket/path/file.csv"],
  ["an object in Google Cloud Storage", "gs://bucket/path/file.parquet"],
  ["a file that the worker sees", "/data/exports/file.csv"],
] as const;

interface Props {
  /** The one that is changed. Absent: it is a new one. */
  known?: RegisteredSource;
  close?: () => void;
}

const EMPTY = { alias: "", uri: "", description: "" };

export function SourceForm({ known, close }: Props) {
  const id = useId();
  const client = useQueryClient();
  const [source, setSource] = useState(known ?? EMPTY);
  const save = useMutation({
    mutationFn: () =>
      known
        ? changeSource({ ...known, ...source })
        : register({ ...source, type: "unspecified", has_credentials: false, primary_key: [], version: 0 }),
    onSuccess: async () => {
      if (!known) setSource(EMPTY);
      await client.invalidateQueries(sources());
      close?.();
    },
  });
  const title = known ? `Change ${known.alias}` : "Add a source";
  const field = (name: keyof typeof EMPTY, label: string, wide: string, required = true) => (
    <div className={`grid gap-1 ${wide}`}>
      <label htmlFor={`${id}-${name}`} className="text-quiet">
        {label}
      </label>
      <input
        id={`${id}-${name}`}
        value={source[name]}
        required={required}
        readOnly={known && name === "alias"}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setSource({ ...source, [name]: event.target.value })}
        className="h-8 rounded border border-line bg-ground px-2"
      />
    </div>
  );
  return (
    <section
      aria-label={title}
      className={`max-w-4xl text-sm ${known ? "" : "rounded-lg border border-line bg-surface p-4"}`}
    >
      <h2 className="mb-3 text-base">{title}</h2>
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
        <div className="flex gap-3 md:col-span-3">
          <MainButton type="submit" disabled={save.isPending}>
            {save.isPending ? "Saving …" : known ? "Save" : "Add"}
          </MainButton>
          {close && <Button onClick={close}>Leave it as it is</Button>}
        </div>
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
        {known?.has_credentials && " An address that is left as it stands here keeps them."}
      </p>
    </section>
  );
}
