/** Whether another run read the same by the same rule, and whether it found the same. */
import type { Manifest, Run } from "../../api/client";

export interface Done {
  run: Run;
  manifest: Manifest;
}

/** `sha256`: of an upload, where it is known. What nothing is known of is never the same. */
export function sameInputs(a: Done, b: Done, sha256: (upload: string) => string | undefined): boolean {
  const states = ({ run, manifest }: Done) =>
    manifest.inputs.map((input, index) => {
      const upload = run.sources[index]?.upload_id;
      return upload ? sha256(upload) : input.fingerprint && `${input.uri} ${input.fingerprint}`;
    });
  const [left, right] = [states(a), states(b)];
  return (
    a.manifest.match_sql_sha256 === b.manifest.match_sql_sha256 &&
    left.length === right.length &&
    left.every((state, index) => state !== undefined && state === right[index])
  );
}

export type Likeness = "bytes" | "counts" | "differs";

/** Files alike to the byte, or the same counts and sums: rows of `matched` stand in no fixed order. */
export function likeness(a: Manifest, b: Manifest): Likeness {
  const told = (manifest: Manifest, of: "sha256" | "rows") =>
    JSON.stringify(manifest.files.map((file) => [file.result_set, file[of]]));
  if (told(a, "sha256") === told(b, "sha256")) return "bytes";
  const same = told(a, "rows") === told(b, "rows") && JSON.stringify(a.sums) === JSON.stringify(b.sums);
  return same ? "counts" : "differs";
}
