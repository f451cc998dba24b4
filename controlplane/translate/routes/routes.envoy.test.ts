import { testRoutesOnTheWire } from "../../../test/harness/route-wire-suite.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { StaticEnvoy } from "../../simulate/testing/static-envoy.ts";
import { listenerOf } from "./testing/listener-of.ts";

testRoutesOnTheWire(
  async (port, virtualHosts, clusters) => await StaticEnvoy.start([listenerOf(port, virtualHosts)], clusters),
  skipWithout("envoy"),
);
