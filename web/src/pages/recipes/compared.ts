/** Which columns a recipe compares, for people. */
import type { Recipe } from "../../api/client";

export function compared(compare: NonNullable<Recipe["compare"]>): string {
  if (typeof compare === "string" || Array.isArray(compare))
    return "Columns of rows that match are compared.";
  const names = (compare.columns ?? []).flatMap((column) => {
    if (typeof column === "string") return [column];
    const { left = "", right, tolerance, percent, days, rules } = column;
    const allowed = [tolerance, percent && `${percent}%`, days !== undefined && `${days} days`, rules];
    const within = allowed.filter(Boolean).join(" or ");
    const name =
      left === "*" ? "all columns of one name" : right && right !== left ? `${left} with ${right}` : left;
    return [within ? `${name} (within ${within})` : name];
  });
  const except = compare.except?.length ? `, but not ${compare.except.join(", ")}` : "";
  return `Of rows that match, ${names.join(", ")} are compared${except}.`;
}
