import type { ReactNode } from "react";

/** A part of a page under its heading; of steps, with its number. */
export function Band({ title, number, children }: { title: string; number?: number; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-3 flex items-center gap-3 text-base">
        {number !== undefined && (
          <span
            aria-hidden
            className="grid size-6 place-items-center rounded-full bg-accent text-xs text-on-fill"
          >
            {number}
          </span>
        )}
        {title}
      </h2>
      {children}
    </section>
  );
}
