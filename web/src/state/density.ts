/** How tables are looked at: how close their rows stand, and whether their heads say what is in the columns. */
import { kept } from "./kept";

export type Density = "usual" | "compact";

export const density = kept<Density>("kalla-rows", ["usual", "compact"]);

/** Height of a row in pixels. */
export const HEIGHTS: Record<Density, number> = { usual: 32, compact: 26 };

export const spread = kept<"hidden" | "shown">("kalla-spread", ["hidden", "shown"]);
