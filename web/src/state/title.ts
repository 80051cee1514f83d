import { useEffect } from "react";

/** What the tab is called; nothing, while it is not known. */
export function useTitle(title: string | undefined) {
  useEffect(() => {
    document.title = title ? `${title} · Kalla` : "Kalla";
  }, [title]);
}
