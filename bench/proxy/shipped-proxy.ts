import { resolve } from "node:path";

/** The proxy as users get it: `make bundle` has made it. */
export const SHIPPED_PROXY: readonly string[] = [
  process.execPath,
  "--max-semi-space-size=2",
  resolve("dist/cli/lateen.js"),
  "proxy",
];
