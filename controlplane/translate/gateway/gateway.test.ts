import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { PlacedWorkload } from "../../../mesh/model/workload.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { gatewaySecrets, gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { Memo } from "../memo.ts";
import { type GatewayResources, gatewayResources } from "./gateway-parts.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const folder = join(import.meta.dirname, "golden");

interface Built extends GatewayResources {
  readonly warnings: readonly string[];
}

function build(yaml: string, gateway: PlacedWorkload = gatewayWorkload()): Built {
  const workloads = [...bookinfoWorkloads(), gateway];
  const { snapshot } = sampleState({ yaml, workloads }).next();
  const memo = new Memo(snapshot);
  const resources = memo.root("test", (scope) => {
    const config = scope.view.workload(`${gateway.namespace}/${gateway.name}`);
    assert.ok(config);
    return gatewayResources(scope, config);
  });
  return { ...resources, warnings: memo.warnings().map(({ subject, message }) => `${subject}: ${message}`) };
}

const cases: readonly { readonly name: string; readonly secrets?: string }[] = [
  { name: "http-and-redirect" },
  { name: "https-modes", secrets: gatewaySecrets(["edge", "edge-rsa"], ["edge-cacert", "partners"]) },
  { name: "passthrough-and-tcp", secrets: gatewaySecrets(["edge"]) },
  { name: "egress" },
  { name: "auto-passthrough" },
];

for (const { name, secrets } of cases) {
  test(`a gateway's ${name}`, (t) => {
    const yaml = readFileSync(join(folder, `${name}.yaml`), "utf8");
    const { parts, hosts, warnings } = build(secrets === undefined ? yaml : `${yaml}---\n${secrets}`);
    const printed: { [type: string]: JsonValue } = { warnings: [...warnings], hosts: [...hosts] };
    for (const short of ["listener", "route", "cluster"] as const) {
      const url = TYPE_URL[short];
      printed[short] = (parts.get(url) ?? []).map(({ bytes }) => json.resourceToJson(url, bytes));
    }
    // Their content is another in each run: the certificates are made for it.
    printed["secret"] = (parts.get(TYPE_URL.secret) ?? []).map((one) => one.name);
    t.assert.fileSnapshot(printed, join(folder, `${name}.json`));
  });
}
