/** What this browser remembers of how someone likes to look at things. */
import { useSyncExternalStore } from "react";

export interface Kept<T extends string> {
  get: () => T;
  set: (value: T) => void;
  /** The value, as it changes. */
  use: () => T;
}

/** One of `values`; the first where nothing is kept. `apply`: what follows from it. */
export function kept<T extends string>(
  key: string,
  values: readonly [T, ...T[]],
  apply: (value: T) => void = () => {},
): Kept<T> {
  const listeners = new Set<() => void>();
  const get = () => values.find((value) => value === localStorage.getItem(key)) ?? values[0];
  const set = (value: T) => {
    if (value === values[0]) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    apply(value);
    for (const listener of listeners) listener();
  };
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { get, set, use: () => useSyncExternalStore(subscribe, get) };
}
