/** Names of columns and recipes. */

/** 0 to 1: how many words two names have in common. */
export function alike(left: string, right: string): number {
  const [l, r] = [parts(left), parts(right)];
  if (l.size === 0 || r.size === 0) return 0;
  const common = [...l].filter((part) => r.has(part)).length;
  return common / Math.max(l.size, r.size);
}

function parts(name: string): Set<string> {
  const apart = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return new Set(apart.split(/[^\p{L}\p{N}]+/u).filter(Boolean));
}

/** An id out of a name. */
export function slug(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 100);
  return plain || "recipe";
}
