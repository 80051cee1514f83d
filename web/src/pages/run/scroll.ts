/** Scrolling through more rows than a browser has pixels for. */
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

export const ROW = 32;
/** What every browser can lay out. */
const TALLEST = 8_000_000;
const BEYOND = 8;

export interface Window {
  /** Rows to draw: from this one up to, but without, that one. */
  first: number;
  end: number;
  /** Where a row stands in what scrolls. */
  place: (row: number) => number;
  /** Height of what scrolls. */
  height: number;
  /** Brings a row into sight. */
  show: (row: number) => void;
}

/** Position among all rows, in pixels, for a position of the scroll bar. */
export function along(scroll: number, shown: number, height: number, full: number): number {
  return height <= shown ? 0 : (scroll / (height - shown)) * (full - shown);
}

/**
 * Small steps, of a wheel or a key, move by what they say; the scroll bar leads through all of it. Where all rows fit, the two
 * are the same.
 */
export function useWindow(box: RefObject<HTMLElement | null>, rows: number, head: number): Window {
  const full = rows * ROW;
  const height = Math.min(full, TALLEST);
  const [{ top, scroll, shown }, setSeen] = useState({ top: 0, scroll: 0, shown: 0 });
  const seen = useRef({ top: 0, scroll: 0, shown: 0 });

  const become = useCallback((top: number, scroll: number, shown: number) => {
    seen.current = { top, scroll, shown };
    setSeen(seen.current);
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const space = () => Math.max(0, element.clientHeight - head);
    const most = () => Math.max(0, full - space());
    const onScroll = () => {
      const before = seen.current;
      const step = element.scrollTop - before.scroll;
      const small =
        Math.abs(step) < 2 * space() && element.scrollTop > 0 && element.scrollTop < height - space();
      const next =
        height === full
          ? element.scrollTop
          : small
            ? before.top + step
            : along(element.scrollTop, space(), height, full);
      become(Math.min(Math.max(0, next), most()), element.scrollTop, space());
    };
    // The scroll bar follows the small steps, so that its ends are the ends.
    const onEnd = () => {
      if (height === full) return;
      const share = most() ? seen.current.top / most() : 0;
      const scroll = Math.round(share * (height - space()));
      become(seen.current.top, scroll, space());
      element.scrollTop = scroll;
    };
    const resized = new ResizeObserver(onScroll);
    resized.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    element.addEventListener("scrollend", onEnd);
    onScroll();
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", onScroll);
      element.removeEventListener("scrollend", onEnd);
    };
  }, [box, full, height, head, become]);

  const show = useCallback(
    (row: number) => {
      const element = box.current;
      if (!element) return;
      const { top, shown } = seen.current;
      const wanted =
        row * ROW < top ? row * ROW : (row + 1) * ROW > top + shown ? (row + 1) * ROW - shown : top;
      if (wanted === top) return;
      const most = Math.max(1, full - shown);
      const scroll = height === full ? wanted : Math.round((wanted / most) * (height - shown));
      become(wanted, scroll, shown);
      element.scrollTop = scroll;
    },
    [box, full, height, become],
  );

  return {
    first: Math.max(0, Math.floor(top / ROW) - BEYOND),
    end: Math.min(rows, Math.ceil((top + shown) / ROW) + BEYOND),
    place: (row) => scroll + row * ROW - top,
    height,
    show,
  };
}
