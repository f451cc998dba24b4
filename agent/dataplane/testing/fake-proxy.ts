/**
 * A program that behaves as a data plane towards its supervisor: `node fake-proxy.ts [--mode MODE] --bootstrap FILE
 * --drain-seconds N`. Modes: `ok`; `crash` ends with status 3 as soon as it is ready; `deaf` ignores SIGTERM; `hang`
 * answers once and then nobody.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    bootstrap: { type: "string" },
    mode: { type: "string" },
    "drain-seconds": { type: "string" },
  },
});
const bootstrap = JSON.parse(readFileSync(values.bootstrap ?? "", "utf8")) as {
  readonly node: { readonly id: string };
  readonly adminSocket: string;
};

let answered = 0;
const server = createServer((request, response) => {
  if (values.mode === "hang" && answered > 0) return;
  answered += 1;
  if (request.url === "/server_info") response.end(JSON.stringify({ node: bootstrap.node }));
  else response.end("LIVE\n");
});
server.listen(bootstrap.adminSocket, () => {
  process.stdout.write(
    `${JSON.stringify({ level: "info", msg: "serving", node: bootstrap.node.id, drain: values["drain-seconds"] })}\n`,
  );
  if (values.mode === "crash") setTimeout(() => process.exit(3), 50);
});

process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify({ level: "info", msg: "asked to end" })}\n`);
  if (values.mode !== "deaf") process.exit(0);
});
