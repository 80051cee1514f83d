/** Files that people choose or drop, on their way. */
import { useEffect, useRef, useState } from "react";
import { upload } from "../api/uploads";

export type SideName = "left" | "right";

export type SideState =
  | { is: "empty" }
  | { is: "coming"; name: string; share: number; stop: () => void }
  | { is: "failed"; name: string; error: Error };

/** `arrived`: a file is there. */
export function useUploads(arrived: (side: SideName, id: string) => void) {
  const [state, setState] = useState<Record<SideName, SideState>>({
    left: { is: "empty" },
    right: { is: "empty" },
  });
  const [extra, setExtra] = useState<string>();
  // The draft may have changed while a file was on its way.
  const tell = useRef(arrived);
  tell.current = arrived;

  const send = async (side: SideName, file: File) => {
    const stop = new AbortController();
    const become = (next: SideState) => setState((before) => ({ ...before, [side]: next }));
    const coming = (share: number) =>
      become({ is: "coming", name: file.name, share, stop: () => stop.abort() });
    stop.signal.addEventListener("abort", () => become({ is: "empty" }));
    coming(0);
    try {
      const { upload_id } = await upload(file, coming, stop.signal);
      become({ is: "empty" });
      tell.current(side, upload_id);
    } catch (error) {
      become({
        is: "failed",
        name: file.name,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    }
  };

  /** On `side`, or on those that are free, the left one first. */
  const take = (files: File[], taken: Partial<Record<SideName, string>>, side?: SideName) => {
    const order: SideName[] = taken.left && !taken.right ? ["right", "left"] : ["left", "right"];
    const free = side ? [side, ...order.filter((other) => other !== side && !taken[other])] : order;
    setExtra(
      files.length > free.length ? `${files.length} files are too many: there are two sides.` : undefined,
    );
    for (const [index, file] of files.slice(0, free.length).entries()) {
      const place = free[index];
      if (place) void send(place, file);
    }
  };

  return { state, take, extra };
}

/** Files that are dropped anywhere on the page; says whether some are held over it. */
export function useDrop(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const tell = useRef(take);
  tell.current = take;
  useEffect(() => {
    const hold = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      setOver(false);
      tell.current([...event.dataTransfer.files]);
    };
    document.addEventListener("dragover", hold);
    document.addEventListener("dragleave", leave);
    document.addEventListener("drop", drop);
    return () => {
      document.removeEventListener("dragover", hold);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
    };
  }, []);
  return over;
}
