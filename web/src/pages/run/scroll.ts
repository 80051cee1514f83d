/** Scrolling through more rows than a browser has pixels for. */
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

/** What every browser can lay out. */
const TALLEST = 8_000_000;
const BEYOND = 8;
/** Pixels to the side. */
const ASIDE = 256;

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

/** From where to where a box is scrolled sideways, and some more. */
export function useAcross(box: RefObject<HTMLElement | null>): [from: number, to: number] {
  const [seen, setSeen] = useState({ from: 0, to: ASIDE });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    // In steps: not every pixel is worth drawing anew.
    const onScroll = () => {
      const from = Math.floor(element.scrollLeft / ASIDE) * ASIDE - ASIDE;
      const to = Math.ceil((element.scrollLeft + element.clientWidth) / ASIDE) * ASIDE + ASIDE;
      setSeen((before) => (before.from === from && before.to === to ? before : { from, to }));
    };
    const resized = new ResizeObserver(onScroll);
    resized.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    onScroll();
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, [box]);
  return [seen.from, seen.to];
}

/**
 * Small steps, of a wheel or a key, move by what they say; the scroll bar leads through all of it. Where all rows fit, the two
 * are the same.
 */
export function useWindow(
  box: RefObject<HTMLElement | null>,
  rows: number,
  head: number,
  row: number,
): Window {
  const full = rows * row;
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
    (at: number) => {
      const element = box.current;
      if (!element) return;
      const { top, shown } = seen.current;
      const wanted = at * row < top ? at * row : (at + 1) * row > top + shown ? (at + 1) * row - shown : top;
      if (wanted === top) return;
      const most = Math.max(1, full - shown);
      const scroll = height === full ? wanted : Math.round((wanted / most) * (height - shown));
      become(wanted, scroll, shown);
      element.scrollTop = scroll;
    },
    [box, row, full, height, become],
  );

  return {
    first: Math.max(0, Math.floor(top / row) - BEYOND),
    end: Math.min(rows, Math.ceil((top + shown) / row) + BEYOND),
    place: (at) => scroll + at * row - top,
    height,
    show,
  };
}
