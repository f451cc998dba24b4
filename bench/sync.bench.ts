/**
 * How fast a change of the catalog reaches the data planes, and what it costs the server:
 *
 * 1. on real parts (server, agent process, built-in proxy or Envoy; embedded catalog or Consul), one change at a time;
 * 2. to many subscribers over gRPC streams of their own, all of which want it;
 * 3. CPU of snapshot and translation in a mesh of 1,000 services × 10 endpoints.
 */

import { findTool } from "../setup/find-tool.ts";
import { DATA_PLANES, type DataPlaneKind } from "../test/harness/mesh.ts";
import { type CatalogName, measureDataPlane } from "./data-plane-sync.ts";
import { measureFanOut } from "./fan-out.ts";
import { type Result, report } from "./report.ts";
import { measureServiceChurn } from "./service-churn.ts";
import { measureSnapshotCost } from "./snapshot-cost.ts";

const SUBSCRIBERS = [10, 200];

const results: Result[] = [];
for (const catalog of ["embedded", "consul"] as const) {
  for (const dataPlane of DATA_PLANES) {
    if (isThere(catalog, dataPlane)) results.push(...(await measureDataPlane(catalog, dataPlane)));
  }
}
for (const subscribers of SUBSCRIBERS) results.push(...(await measureFanOut(subscribers)));
results.push(...measureSnapshotCost());
results.push(...[1_000, 10_000].map(measureServiceChurn));
await report("sync", results);

function isThere(catalog: CatalogName, dataPlane: DataPlaneKind): boolean {
  const missing = [catalog, dataPlane].find(
    (tool) => (tool === "consul" || tool === "envoy") && findTool(tool) === undefined,
  );
  if (missing !== undefined)
    console.log(`left out ${catalog}, ${dataPlane}: no ${missing} (make tools fetches it)`);
  return missing === undefined;
}
