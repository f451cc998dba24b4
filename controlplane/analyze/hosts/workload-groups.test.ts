import assert from "node:assert/strict";
import { test } from "node:test";
import { objects, port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { object } from "../../../test/harness/analysis.ts";
import { analyze } from "../analyze.ts";

const member = (name: string, group: string, number: number) =>
  workload(name, {
    group: { name: group, defaulted: [], applied: undefined },
    ports: [port({ servicePort: number, app: { address: "127.0.0.1", port: number } })],
  });

test("a group that is gone, and a probe of a port that a member does not register, are told", () => {
  const yaml = object("WorkloadGroup", "web", "{ template: {}, probe: { httpGet: { port: 8080 } } }");
  const workloads = [member("fine", "web", 8080), member("odd", "web", 9090), member("left", "gone", 8080)];
  const { snapshot } = sampleState({ yaml, workloads }).next();
  const messages = analyze({ objects: objects(yaml), snapshot, places: new Map(), now: 0 });
  assert.deepEqual(
    messages.map(({ code, origin, message }) => `${code} ${origin}: ${message}`),
    [
      "IST0101 Workload default/left-1: there is no WorkloadGroup default/gone: what it said last stays in force",
      "LAT0006 WorkloadGroup default/web: the probe asks port 8080, and default/odd-1 registers 9090",
    ],
  );
});
