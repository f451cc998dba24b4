/**
 * A program that behaves as a data plane towards its supervisor: `node fake-proxy.ts [--mode MODE] --bootstrap FILE
 * --drain-seconds N [--concurrency N]`. Modes: `ok`; `crash` ends with status 3 as soon as it is ready; `deaf` ignores SIGTERM; `hang`
 * answers once and then nobody; `alone` has no successor. On SIGUSR2 it starts the successor that its bootstrap names, and
 * ends.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    bootstrap: { type: "string" },
    mode: { type: "string" },
    "drain-seconds": { type: "string" },
    concurrency: { type: "string", default: "1" },
  },
});
const bootstrap = JSON.parse(readFileSync(values.bootstrap ?? "", "utf8")) as {
  readonly node: { readonly id: string };
  readonly adminSocket: string;
};

const concurrency = Number(values.concurrency);
let answered = 0;
const server = createServer((request, response) => {
  if (values.mode === "hang" && answered > 0) return;
  answered += 1;
  if (request.url === "/server_info")
    response.end(
      JSON.stringify({ node: bootstrap.node, pid: process.pid, command_line_options: { concurrency } }),
    );
  else response.end("LIVE\n");
});
server.listen(bootstrap.adminSocket, () => {
  process.stdout.write(
    `${JSON.stringify({ level: "info", msg: "serving", node: bootstrap.node.id, drain: values["drain-seconds"] })}\n`,
  );
  if (values.mode === "crash") setTimeout(() => process.exit(3), 50);
});

process.on("SIGUSR2", () => {
  if (values.mode === "alone") {
    process.stdout.write(`${JSON.stringify({ level: "warn", msg: "asked for a successor" })}\n`);
    return;
  }
  const { successor } = JSON.parse(readFileSync(values.bootstrap ?? "", "utf8")) as {
    readonly successor: readonly string[];
  };
  const [program = "", ...args] = successor;
  server.close(() => {
    spawn(program, args, { detached: true, stdio: "inherit" }).unref();
    endOnceServed();
  });
});

/** As a proxy does: it is there until its successor is. */
function endOnceServed(): void {
  const trial = connect(bootstrap.adminSocket, () => process.exit(0));
  trial.once("error", () => setTimeout(endOnceServed, 20));
}

process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify({ level: "info", msg: "asked to end" })}\n`);
  if (values.mode !== "deaf") process.exit(0);
});
