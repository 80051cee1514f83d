/** Values of cells as people read them. */
import { decimal } from "./numbers";

/**
 * Decimals are grouped. Whole numbers mostly name something, and are read and copied digit by digit: they are grouped only where
 * they are known to be amounts.
 */
export function shown(cell: string, type: string, amount = false): string {
  return /^(decimal|float)/.test(type) || (amount && type.startsWith("integer")) ? decimal(cell) : cell;
}
