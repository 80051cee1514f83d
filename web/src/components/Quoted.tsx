/** A sentence of the gateway or a worker: what it quotes between backticks stands out. */
export function Quoted({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of a sentence do not move
      <code key={index} className="rounded bg-ink/8 px-1 font-mono text-[0.9em] break-words">
        {part}
      </code>
    ),
  );
}
