/** Files that were dropped where they are of no use, on their way to where they are. */
let files: File[] = [];

export function hand(more: File[]) {
  files = more;
}

/** Whoever takes them has them alone. */
export function handed(): File[] {
  const taken = files;
  files = [];
  return taken;
}
