import { type ButtonHTMLAttributes, useState } from "react";

export function Button({ className = "", ...rest }: ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      className={`inline-flex h-8 items-center gap-1.5 rounded border border-line bg-surface px-3 text-sm hover:bg-raised disabled:opacity-50 ${className}`}
      {...rest}
    />
  );
}

/** What a page is for; one of a kind. */
export function MainButton({ className = "", ...rest }: ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      className={`h-8 rounded bg-accent px-4 text-sm font-semibold text-on-fill disabled:opacity-50 ${className}`}
      {...rest}
    />
  );
}

/** What cannot be undone: the first click asks, the second does it. */
export function SureButton({ name, sure, act }: { name: string; sure: string; act: () => void }) {
  const [asked, setAsked] = useState(false);
  return (
    <Button
      onClick={() => (asked ? act() : setAsked(true))}
      onBlur={() => setAsked(false)}
      className={asked ? "text-error" : ""}
    >
      {asked ? sure : name}
    </Button>
  );
}
