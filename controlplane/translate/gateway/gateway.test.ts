import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { gatewaySecrets, gatewayWorkload } from "../../../test/fakes/gateway-mesh.ts";
import { inScope } from "../../../test/fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { staticBootstrap } from "../../../test/harness/static-bootstrap.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { validateBootstrap } from "../../../test/harness/validate-envoy.ts";
import { workloadOf } from "../workload-of.ts";
import { type GatewayResources, gatewayResources } from "./gateway-parts.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const folder = join(import.meta.dirname, "golden");

interface Built extends GatewayResources {
  readonly warnings: readonly string[];
}

function build(yaml: string): Built {
  const workloads = [...bookinfoWorkloads(), gatewayWorkload()];
  const { snapshot } = sampleState({ yaml, workloads }).next();
  const { value, warnings } = inScope(snapshot, (scope) =>
    gatewayResources(scope, workloadOf(scope, "default/edge-1")),
  );
  return { ...value, warnings: warnings.map(({ subject, message }) => `${subject}: ${message}`) };
}

const cases: readonly { readonly name: string; readonly secrets?: string }[] = [
  { name: "http-and-redirect" },
  { name: "https-files" },
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

// Files are not here: the end-to-end tests have some.
for (const name of cases.map((one) => one.name).filter((one) => one !== "https-files")) {
  test(`Envoy accepts ${name}`, { skip: skipWithout("envoy") }, async () => {
    const said = await validateBootstrap(
      staticBootstrap(JSON.parse(await readFile(join(folder, `${name}.json`), "utf8"))),
    );
    assert.doesNotMatch(said, /REFUSED|deprecated/i, said);
  });
}
