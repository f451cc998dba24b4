import { testRoutesOnTheWire } from "../../../test/harness/route-wire-suite.ts";
import { StaticEnvoy } from "../../../test/harness/static-envoy.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { listenerOf } from "./testing/listener-of.ts";

testRoutesOnTheWire(
  async (port, virtualHosts, clusters) => await StaticEnvoy.start([listenerOf(port, virtualHosts)], clusters),
  skipWithout("envoy"),
);
