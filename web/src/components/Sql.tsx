/** SQL, to read and to write. */
import { lazy, Suspense } from "react";

export function Sql({ text }: { text: string }) {
  return (
    <pre
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-lg border border-line bg-surface p-4 font-mono text-xs leading-relaxed"
    >
      {text}
    </pre>
  );
}

export interface Editing {
  id: string;
  label: string;
  text: string;
  change: (text: string) => void;
  /** Names of columns by table, to choose from. */
  tables?: Record<string, string[]>;
  /** What is wrong with it. */
  wrong?: string[];
}

const Editor = lazy(() => import("./SqlEditor"));

export function EditSql(props: Editing) {
  return (
    <Suspense fallback={<Sql text={props.text} />}>
      <Editor {...props} />
    </Suspense>
  );
}
