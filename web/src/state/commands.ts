/** What can be done on the page that is open: it says so, and the list of commands offers it. */
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Command {
  name: string;
  /** What kind of thing it is, or where it leads. */
  hint?: string;
  act: () => void;
}

let offers: readonly Command[][] = [];
let all: readonly Command[] = [];
const listeners = new Set<() => void>();

function become(next: readonly Command[][]) {
  offers = next;
  all = next.flat();
  for (const listener of listeners) listener();
}

/** Offers `commands` while the component is there. */
export function useOffer(commands: Command[]) {
  const latest = useRef(commands);
  latest.current = commands;
  const names = JSON.stringify(commands.map(({ name }) => name));
  // biome-ignore lint/correctness/useExhaustiveDependencies: what commands do is looked up when they are called
  useEffect(() => {
    const offer = latest.current.map((command, index) => ({
      ...command,
      act: () => latest.current[index]?.act(),
    }));
    become([...offers, offer]);
    return () => become(offers.filter((other) => other !== offer));
  }, [names]);
}

export function useOffered(): readonly Command[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => all,
  );
}

/** Those in whose name or kind every word stands, those that begin with the first word before the others. */
export function found(commands: readonly Command[], typed: string): Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const text = ({ name, hint = "" }: Command) => `${name} ${hint}`.toLowerCase();
  const rank = (command: Command) => (text(command).startsWith(words[0] ?? "") ? 0 : 1);
  return commands
    .filter((command) => words.every((word) => text(command).includes(word)))
    .sort((a, b) => rank(a) - rank(b));
}
