// How the page is built: for the browsers of today, everything in files of its own origin.
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  // Nothing inline: the content security policy of the console's server would not let it run.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  logLevel: "warn",
});
