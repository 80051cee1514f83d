import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["tests/screenshots.ts"], testTimeout: 300_000 },
});
