import type { ButtonHTMLAttributes } from "react";

export function Button({ className = "", ...rest }: ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      className={`inline-flex h-8 items-center gap-1.5 rounded border border-line bg-surface px-3 text-sm hover:bg-raised disabled:opacity-50 ${className}`}
      {...rest}
    />
  );
}
