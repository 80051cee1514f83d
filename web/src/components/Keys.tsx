/** The keys, on one sheet. */
import { KEYS } from "../state/keys";
import { Sheet } from "./Sheet";

export function KeySheet({ close }: { close: () => void }) {
  return (
    <Sheet title="Keys" close={close} className="w-[min(30rem,calc(100vw-2rem))] p-5 text-sm">
      <KeyList />
    </Sheet>
  );
}

export function KeyList() {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1.5">
      {KEYS.map(([key, what]) => (
        <div key={key} className="contents">
          <dt>
            <kbd className="rounded border border-line bg-raised px-1.5 py-0.5 font-mono text-xs">{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
