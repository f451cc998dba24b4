import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { staticBootstrap } from "../../test/harness/static-bootstrap.ts";
import { skipWithout } from "../../test/harness/tools.ts";
import { validateBootstrap } from "../../test/harness/validate-envoy.ts";

const golden = join(import.meta.dirname, "golden");
/** They name files that are not here: `golden.ads.test.ts` gives Envoy some. */
const WITH_FILES = ["sidecar-ingress.json"];
const names = (await readdir(golden))
  .filter((name) => name.endsWith(".json") && !WITH_FILES.includes(name))
  .sort();

/**
 * The fields of OTLP access logs that take its place are younger than the messages that we have (and than those of Istio):
 * every Envoy that we serve reads it.
 */
const KNOWN_DEPRECATION = /^.*Deprecated field:.*OpenTelemetryAccessLogConfig\.common_config.*$/gm;

for (const name of names) {
  test(`Envoy accepts ${name}`, { skip: skipWithout("envoy") }, async () => {
    const resources = JSON.parse(await readFile(join(golden, name), "utf8"));
    const said = await validateBootstrap(staticBootstrap(resources));
    assert.doesNotMatch(said.replaceAll(KNOWN_DEPRECATION, ""), /REFUSED|deprecated/i, said);
  });
}

test("Envoy's validation would notice a bad resource", { skip: skipWithout("envoy") }, async () => {
  const said = await validateBootstrap(
    staticBootstrap({ cluster: [{ name: "bad", type: "STATIC", connectTimeout: "-1s" }], listener: [] }),
  );
  assert.match(said, /REFUSED[\s\S]*positive duration/i);
});
