import { expect, it } from "vitest";
import { policyWords } from "./policy";

const usual = { priority: 0, concurrency: 0, attempts: 0, pause_seconds: 0, retry_on: [] };

it("tells what is not as usual", () => {
  expect(policyWords(usual)).toBe("");
  expect(policyWords({ ...usual, priority: 10, concurrency: 1 })).toBe(
    "Its runs have priority 10. At most 1 run is under way at the same time.",
  );
  expect(
    policyWords({ ...usual, attempts: 5, pause_seconds: 60, retry_on: ["not_found", "unavailable"] }),
  ).toBe(
    "A run fails with the failure number 5. The first new try comes after 1 min. It is tried again after not found or unavailable.",
  );
  expect(policyWords({ ...usual, attempts: 1, pause_seconds: 60 })).toBe(
    "A run that fails is not tried again.",
  );
});
