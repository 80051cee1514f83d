/** A text that is taken elsewhere: a click copies all of it. */
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

export function Copied({ text, shown = text }: { text: string; shown?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  // Browsers have no clipboard for pages that came over plain HTTP from elsewhere.
  if (!navigator.clipboard) return <span className="font-mono text-xs break-all">{shown}</span>;
  const Icon = copied ? Check : Copy;
  return (
    <button
      type="button"
      title={copied ? "Copied" : `Copy ${text}`}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
      className="inline-flex items-center gap-1.5 rounded font-mono text-xs hover:bg-raised"
    >
      <span className="break-all">{shown}</span>
      <span className="sr-only">{copied ? "copied" : "copy it"}</span>
      <Icon aria-hidden className={`size-3.5 shrink-0 ${copied ? "text-matched" : "text-quiet"}`} />
    </button>
  );
}
