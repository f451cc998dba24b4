import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { endpoints, meshCluster } from "../../../test/harness/xds-samples.ts";
import type { Endpoint } from "../../model/cluster.ts";
import { parseCluster } from "../../parse/cluster.ts";
import { parseLoadAssignment } from "../../parse/endpoints.ts";
import { Alarms } from "../../transport/alarms.ts";
import { SecretStore } from "../tls/secret-store.ts";
import { ClusterTransports } from "./cluster-transports.ts";
import { UpstreamCluster } from "./upstream-cluster.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

const CLUSTER = json.jsonToResource(TYPE_URL.cluster, meshCluster("c", "spiffe://cluster.local/ns/a/sa/b"));

const secrets = new SecretStore();
const model = parseCluster(CLUSTER, "c");
const transports = (): ClusterTransports => new ClusterTransports(model, { secrets, clock: systemClock });

function cluster(): UpstreamCluster {
  return new UpstreamCluster(model, transports(), {
    secrets,
    clock: systemClock,
    resolve: () => Promise.resolve([]),
    alarms: new Alarms(() => systemClock.monotonic()),
  });
}

function endpoint(meshed: boolean): Endpoint {
  const bytes = json.jsonToResource(TYPE_URL.endpoints, endpoints("c", [80], meshed));
  const [only] = parseLoadAssignment(bytes, "c").endpoints;
  assert.ok(only);
  return only;
}

class CountingMap extends Map<string, string> {
  lookUps = 0;

  override get(key: string): string | undefined {
    this.lookUps++;
    return super.get(key);
  }
}

test("which transport an endpoint has is found out when it comes, and not again for each call", () => {
  const called = cluster();
  const transportMatch = new CountingMap(endpoint(true).transportMatch);
  called.assign([{ ...endpoint(true), transportMatch }]);
  const before = transportMatch.lookUps;
  assert.ok(before > 0);
  const host = called.pick(Math.random);
  assert.equal(host?.transport.isMesh, true);
  for (let call = 0; call < 3; call++) {
    called.variantOf(host, "c", NOBODY, { saysHttp: true });
    host.pool();
  }
  assert.equal(transportMatch.lookUps, before);
});

test("an endpoint that gets another transport gets other connections, and one that stays as it is keeps its own", () => {
  const called = cluster();
  called.assign([endpoint(true)]);
  const host = called.pick(Math.random);
  const pool = host?.pool();
  called.assign([endpoint(true)]);
  assert.equal(host?.pool(), pool);
  called.assign([endpoint(false)]);
  assert.equal(called.pick(Math.random), host);
  assert.equal(host?.transport.isMesh, false);
  assert.notEqual(host.pool(), pool);
  const plain = host.pool();
  called.update(model, transports());
  assert.notEqual(host.pool(), plain);
});

const NOBODY = { remoteAddress: "", remotePort: 0, localAddress: "", localPort: 0 };
