/** Keys of the whole page, and what they do. */
import { useEffect, useRef } from "react";

export const KEYS = [
  ["Ctrl K or ⌘ K", "go to anything, do anything"],
  ["/", "search in the rows"],
  ["j and k", "to the next row, to the one before"],
  ["Home and End", "to the first row, to the last"],
  ["Enter", "open the row"],
  ["Esc", "close what is open"],
  ["x", "to the exports of what is shown"],
  ["?", "these keys"],
] as const;

/** Does something when `key` is pressed, but not while someone writes. `mod`: together with Ctrl or ⌘, and then always. */
export function useKey(key: string, act: () => void, mod = false) {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const held = event.ctrlKey || event.metaKey;
      if (event.key !== key || held !== mod || event.altKey || event.defaultPrevented) return;
      if (!mod && writes(event.target)) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [key, mod]);
}

function writes(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
