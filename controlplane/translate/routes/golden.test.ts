import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { clientNamed, inScope } from "../../../test/fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { serviceVirtualHost } from "./virtual-host.ts";

const folder = join(import.meta.dirname, "golden");
const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
  test(`routes of ${file}`, (t) => {
    const yaml = readFileSync(join(folder, file), "utf8");
    const { snapshot } = sampleState({ yaml, workloads: bookinfoWorkloads() }).next();
    const { value, warnings } = inScope(snapshot, (scope) =>
      serviceVirtualHost(
        scope,
        clientNamed(scope.view, "default/productpage-1"),
        "reviews.default.svc.cluster.local",
        9080,
      ),
    );
    const printed = json.resourceToJson(
      "type.googleapis.com/envoy.config.route.v3.VirtualHost",
      VirtualHost.encode(value.virtualHost).finish(),
    );
    t.assert.fileSnapshot(
      { warnings: warnings.map(({ subject, message }) => `${subject}: ${message}`), virtualHost: printed },
      join(folder, file.replace(/yaml$/, "json")),
    );
  });
}
