import { testRoutesOnTheWire } from "../../test/harness/route-wire-suite.ts";
import { TestProxy } from "../../test/harness/test-proxy.ts";
import { corsFilter, faultFilter, outboundHttp, router } from "../../test/harness/xds-samples.ts";

// The same table runs against Envoy: controlplane/translate/routes/routes.envoy.test.ts.
testRoutesOnTheWire(async (port, virtualHosts, clusters) => {
  const proxy = await TestProxy.start();
  for (const cluster of clusters) proxy.ads.set("cluster", cluster.name, { ...cluster });
  const filters = { httpFilters: [faultFilter, corsFilter, router] };
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, "routes", filters));
  const routes = { name: "routes", virtualHosts: [...virtualHosts], ignorePortInHostMatching: true };
  proxy.ads.set("route", "routes", routes);
  await proxy.ready();
  return proxy;
});
