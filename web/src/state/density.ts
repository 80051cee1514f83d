/** How close rows of tables stand. */
import { kept } from "./kept";

export type Density = "usual" | "compact";

export const density = kept<Density>("kalla-rows", ["usual", "compact"]);

/** Height of a row in pixels. */
export const HEIGHTS: Record<Density, number> = { usual: 32, compact: 26 };
