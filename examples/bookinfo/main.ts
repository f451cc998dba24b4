import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { details } from "./details.ts";
import { type Call, type Handler, type Peers, sendJson } from "./http.ts";
import { productpage } from "./productpage.ts";
import { ratings } from "./ratings.ts";
import { reviews } from "./reviews.ts";

/**
 * One service of the bookinfo sample. Istio's sample is where its behaviour comes from, deliberate bugs included:
 *
 *   node examples/bookinfo/main.ts --service reviews --version v2 --port 9080 --ratings 127.0.0.1:9081
 */
const { values } = parseArgs({
  options: {
    service: { type: "string" },
    version: { type: "string", default: "v1" },
    address: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "9080" },
    details: { type: "string", default: "127.0.0.1:9081" },
    reviews: { type: "string", default: "127.0.0.1:9082" },
    ratings: { type: "string", default: "127.0.0.1:9083" },
  },
});

const SERVICES: Readonly<Record<string, (version: string, peers: Peers) => Handler>> = {
  productpage,
  details,
  reviews,
  ratings,
};

const make = SERVICES[values.service ?? ""];
if (make === undefined) {
  process.stderr.write(`--service must be one of ${Object.keys(SERVICES).join(", ")}\n`);
  process.exit(64);
}
const handler = make(values.version, values);

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://bookinfo");
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const call: Call = { request, response, url, signal: gone.signal };
  if (url.pathname === "/health") {
    sendJson(call, 200, { status: `${values.service} is healthy` });
    return;
  }
  handler(call).catch((error: unknown) => {
    if (!response.headersSent) sendJson(call, 500, { error: String(error) });
    else response.destroy();
  });
});

// A proxy keeps its connections to us for long; an idle limit shorter than its own would race with its next request.
server.keepAliveTimeout = 3_600_000;
server.listen(Number(values.port), values.address, () => {
  process.stdout.write(`${values.service} ${values.version} on ${values.address}:${values.port}\n`);
});
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.once(name, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
