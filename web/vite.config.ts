import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Where the gateway takes the page from when it is compiled. */
const OUT = "dist/page";

/** Beside each file its compressed form: the gateway sends what is there, and compresses nothing. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile() || /\.(woff2|gz)$/.test(entry.name)) continue;
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), packed()],
  build: { outDir: OUT, target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 600 },
  // `npm run dev` beside `kalla up`, or beside the gateway of KALLA_URL.
  server: {
    // The example is beside the page.
    fs: { allow: [".."] },
    // The gateway refuses what comes from pages of other hosts than its own: it is to see the host of this one.
    proxy: { "/api": { target: process.env.KALLA_URL ?? "http://127.0.0.1:3000", changeOrigin: false } },
  },
});
