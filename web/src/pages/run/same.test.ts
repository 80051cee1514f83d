import { expect, it } from "vitest";
import type { Manifest, Run } from "../../api/client";
import { type Done, likeness, sameInputs } from "./same";

const file = (result_set: "matched" | "unmatched_left", sha256: string, rows: number) => ({
  result_set,
  sha256,
  rows,
  bytes: 1,
  path: "",
});

function done(change: Partial<Manifest>, uploads: (string | undefined)[] = []): Done {
  const sources = [0, 1].map((index) => ({
    alias: "",
    uri: "",
    ...(uploads[index] && { upload_id: uploads[index] }),
  }));
  const input = (fingerprint?: string) => ({
    alias: "",
    uri: "a.csv",
    rows: 1,
    rejected: 0,
    columns: [],
    ...(fingerprint && { fingerprint }),
  });
  const manifest = {
    match_sql_sha256: "sql",
    inputs: [input("1"), input("2")],
    files: [],
    sums: [],
    ...change,
  } as unknown as Manifest;
  return { run: { sources } as unknown as Run, manifest };
}

it("compares what was read and the rule", () => {
  const sha = (upload: string) => ({ u1: "x", u2: "x", u3: "y" })[upload];
  expect(sameInputs(done({}), done({}), sha)).toBe(true);
  expect(sameInputs(done({}), done({ match_sql_sha256: "other" }), sha)).toBe(false);
  // The same file brought twice is the same, whatever it is called.
  expect(sameInputs(done({}, ["u1"]), done({}, ["u2"]), sha)).toBe(true);
  expect(sameInputs(done({}, ["u1"]), done({}, ["u3"]), sha)).toBe(false);
  expect(sameInputs(done({}, ["gone"]), done({}, ["gone"]), sha)).toBe(false);
});

it("compares what was found", () => {
  const of = (sha: string, rows: number) => done({ files: [file("matched", sha, rows)] }).manifest;
  expect(likeness(of("a", 1), of("a", 1))).toBe("bytes");
  expect(likeness(of("a", 1), of("b", 1))).toBe("counts");
  expect(likeness(of("a", 1), of("b", 2))).toBe("differs");
});
