/** What of a run is looked at: it stands in the address, so that back, forward, reload and a link give the same. */
import { type ResultSet, SETS } from "../api/runs";
import { type Filter, filters } from "./filters";

export const TABS = [...SETS, "proof"] as const;
export type Tab = (typeof TABS)[number];

/** Matches by the matches beside them. */
export const ONLY = ["multiple", "multiple_left", "multiple_right", "apart"] as const;
export type Only = (typeof ONLY)[number];

export interface View {
  tab?: Tab;
  only?: Only;
  /** `amount` or `amount:desc`. */
  order?: string;
  q?: string;
  filters?: Filter[];
  /** Names of columns that are left out, and of those that stay in sight. */
  hide?: string[];
  pin?: string[];
  /** The columns whose sums the balance shows, left and right, and their currency. Absent: those that are likely to be meant. */
  amount?: [left: string, right: string, currency?: string];
  /** Position of the row whose drawer is open. */
  row?: number;
}

/** From an address, where anything may stand. */
export function view(search: Record<string, unknown>): View {
  const tab = TABS.find((tab) => tab === search.tab);
  const only = ONLY.find((only) => only === search.only);
  const row = Number(search.row);
  const chosen = filters(search.filters);
  const [hide, pin, amount] = [texts(search.hide), texts(search.pin), texts(search.amount)];
  const [left, right, currency] = amount;
  return {
    ...(tab && { tab }),
    ...(only && { only }),
    ...(text(search.order) && { order: text(search.order) }),
    ...(text(search.q) && { q: text(search.q) }),
    ...(chosen.length > 0 && { filters: chosen }),
    ...(hide.length > 0 && { hide }),
    ...(pin.length > 0 && { pin }),
    ...(left !== undefined &&
      right !== undefined && { amount: currency === undefined ? [left, right] : [left, right, currency] }),
    ...(search.row !== undefined && Number.isSafeInteger(row) && row >= 0 && { row }),
  };
}

/** Numbers in an address are read as numbers; here they are text. */
function text(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((one) => text(one) ?? []) : [];
}

export function isSet(tab: Tab): tab is ResultSet {
  return tab !== "proof";
}

/** The order after a click on a column: up, down, as in the file. */
export function turned(order: string | undefined, column: string): string | undefined {
  if (order === column) return `${column}:desc`;
  return order === `${column}:desc` ? undefined : column;
}

export function direction(order: string | undefined, column: string): "ascending" | "descending" | "none" {
  if (order === column) return "ascending";
  return order === `${column}:desc` ? "descending" : "none";
}
