/** Which rows of a table are looked at: one condition a column, as people choose it. */
import type * as api from "../api/client";
import { isDate, isNumber } from "../format/types";

const OPS = ["eq", "neq", "gte", "lte", "contains", "empty", "present"] as const;
export type Op = (typeof OPS)[number];

export interface Filter {
  column: string;
  op: Op;
  /** As it was typed; of `empty` and `present` nothing. */
  value?: string;
}

export const NAMES: Record<Op, string> = {
  eq: "is",
  neq: "is not",
  gte: "at least",
  lte: "at most",
  contains: "contains",
  empty: "has no value",
  present: "has a value",
};

/** What can be asked of a column of this type. */
export function ops(type: string): Op[] {
  if (isNumber(type) || isDate(type)) return ["gte", "lte", "eq", "neq", "empty", "present"];
  if (/^List/.test(type)) return ["contains", "empty", "present"];
  if (type === "text") return ["contains", "eq", "neq", "empty", "present"];
  return ["eq", "neq", "empty", "present"];
}

export function wantsValue(op: Op): boolean {
  return op !== "empty" && op !== "present";
}

export function words({ column, op, value }: Filter): string {
  return `${column} ${NAMES[op]}${wantsValue(op) ? ` ${value}` : ""}`;
}

/** In the form of the API. */
export function wire(filters: Filter[]): api.Filter[] {
  return filters.map(({ column, op, value = "" }) =>
    op === "empty" || op === "present"
      ? { column, op: "is_null", value: op === "empty" }
      : { column, op, value },
  );
}

/** The same as text; nothing, where there are none. */
export function asked(filters: Filter[]): string | undefined {
  return filters.length === 0 ? undefined : JSON.stringify(wire(filters));
}

/** From an address, where anything may stand. */
export function filters(given: unknown): Filter[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null) return [];
    const { column, op, value } = one as Record<string, unknown>;
    const known = OPS.find((name) => name === op);
    if (typeof column !== "string" || !known || (wantsValue(known) && value === undefined)) return [];
    return [{ column, op: known, ...(wantsValue(known) && { value: String(value) }) }];
  });
}
