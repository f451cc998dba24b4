import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayWorkload } from "../fakes/gateway-mesh.ts";
import { bookinfoWorkloads, port, workload } from "../fakes/sample-mesh.ts";
import { WIRE_SUITES } from "../wire/suites.ts";
import type { Place } from "../wire/wire-apps.ts";
import { wireWorkloads } from "../wire/wire-mesh.ts";
import type { FieldMesh } from "./field-mesh.ts";

const TRANSLATE = join(import.meta.dirname, "../../controlplane/translate");

const FIRST_PORT = 10_001;

/** Those of the table of behaviour on the wire, whose applications are anywhere. */
export function wireMeshes(): readonly FieldMesh[] {
  return Object.values(WIRE_SUITES)
    .flat()
    .map((one) => {
      let bound = FIRST_PORT;
      const { workloads } = wireWorkloads(one, placeOf, () => ({ address: "127.0.0.1", port: bound++ }));
      return { name: one.name, yaml: one.yaml(placeOf).replaceAll("FOLDER", "/folder"), workloads };
    });
}

/** Those of `meshes/`: what neither the table nor the golden files say. */
export function sampleMeshes(): readonly FieldMesh[] {
  return meshesOf(import.meta.dirname, "meshes/*.yaml");
}

/** Those of the golden files. */
export function goldenMeshes(): readonly FieldMesh[] {
  return meshesOf(TRANSLATE, "**/golden/*.yaml");
}

function meshesOf(folder: string, pattern: string): readonly FieldMesh[] {
  return globSync(pattern, { cwd: folder })
    .sort()
    .map((file) => ({ name: file, yaml: readFileSync(join(folder, file), "utf8"), workloads: WORKLOADS }));
}

function placeOf(app: string): Place {
  if (app.endsWith("unix")) return { address: `unix:///folder/${app}`, port: 0 };
  return { address: `127.9.9.${app.charCodeAt(app.length - 1)}`, port: 8000 + app.charCodeAt(0) };
}

/** Bookinfo, a workload whose calls are captured, one that binds VIPs, and a gateway. */
const WORKLOADS = [
  ...bookinfoWorkloads(),
  workload("shop", {
    interception: "redirect",
    discovery: "mesh",
    ports: [port({ inbound: { address: "10.0.9.1", port: 9080 } })],
  }),
  workload("plain", {
    discovery: "mesh",
    vips: "loopback",
    reportsCalls: true,
    locality: "eu/a/1",
    ports: [port({ inbound: { address: "10.0.9.2", port: 9080 } })],
  }),
  gatewayWorkload(),
];
