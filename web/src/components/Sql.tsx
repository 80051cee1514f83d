/** SQL to read. */
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
