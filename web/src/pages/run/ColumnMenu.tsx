/** Which columns of a table are shown, which stay in sight, and how close its rows stand. */
import { Columns3, Pin } from "lucide-react";
import { Popover } from "radix-ui";
import type { Column } from "../../api/client";
import { Button } from "../../components/Button";
import { density, spread } from "../../state/density";

interface Props {
  columns: Column[];
  hidden: string[];
  pinned: string[];
  change: (hidden: string[], pinned: string[]) => void;
}

export function ColumnMenu({ columns, hidden, pinned, change }: Props) {
  const rows = density.use();
  const shown = spread.use();
  const turn = (list: string[], name: string) =>
    list.includes(name) ? list.filter((other) => other !== name) : [...list, name];
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button disabled={columns.length === 0}>
          <Columns3 aria-hidden className="size-4" />
          Columns
          {hidden.length > 0 && <span className="text-xs text-quiet">{hidden.length} hidden</span>}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={4}
          aria-label="Columns"
          className="z-20 grid max-h-[60vh] w-72 gap-2 overflow-auto rounded-lg border border-line bg-surface p-3 text-sm shadow-xl"
        >
          <ul className="grid gap-0.5">
            {columns.map(({ name }) => {
              const pin = pinned.includes(name);
              return (
                <li key={name} className="flex items-center gap-2 rounded px-1 hover:bg-raised">
                  <label className="flex min-w-0 grow items-center gap-2 py-1">
                    <input
                      type="checkbox"
                      checked={!hidden.includes(name)}
                      // One column has to be there.
                      disabled={!hidden.includes(name) && hidden.length >= columns.length - 1}
                      onChange={() => change(turn(hidden, name), pinned)}
                      className="accent-accent"
                    />
                    <span className="truncate">{name}</span>
                  </label>
                  <button
                    type="button"
                    aria-pressed={pin}
                    aria-label={`Keep ${name} in sight`}
                    title={`Keep ${name} in sight`}
                    onClick={() => change(hidden, turn(pinned, name))}
                    className={`rounded p-1 ${pin ? "text-accent" : "text-quiet"}`}
                  >
                    <Pin aria-hidden className="size-3.5" />
                  </button>
                </li>
              );
            })}
          </ul>
          {hidden.length + pinned.length > 0 && (
            <Button onClick={() => change([], [])} className="justify-center">
              All of them, as they were
            </Button>
          )}
          <div className="grid gap-2 border-t border-line px-1 pt-2">
            <Check
              name="Compact rows"
              checked={rows === "compact"}
              change={(on) => density.set(on ? "compact" : "usual")}
            />
            <Check
              name="What is in the columns"
              checked={shown === "shown"}
              change={(on) => spread.set(on ? "shown" : "hidden")}
            />
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Check({ name, checked, change }: { name: string; checked: boolean; change: (on: boolean) => void }) {
  return (
    <label className="flex items-center gap-2">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => change(event.target.checked)}
        className="accent-accent"
      />
      {name}
    </label>
  );
}
