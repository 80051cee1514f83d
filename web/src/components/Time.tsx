import { useEffect, useState } from "react";
import { ago } from "../format/times";

/** How long ago; the exact time when one points at it. */
export function Ago({ at }: { at: string }) {
  const now = useNow(30_000);
  return (
    <time dateTime={at} title={at} className="whitespace-nowrap">
      {ago(at, now)}
    </time>
  );
}

/** The present, again and again. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
