import assert from "node:assert/strict";
import { test } from "node:test";
import { workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { PLAIN_SIDECAR } from "../../test/fakes/sample-mesh.ts";
import { type AgentBinding, UNBOUND } from "../attest/agent-binding.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import { decideIdentity } from "./certificate-service.ts";

const NAMES = ["a", "b", "c"];

function agent(id: string, binding: AgentBinding, banned = false): AgentRecord {
  const attested = { method: "join-token", subject: "", keyHash: "", at: 0, ttlMs: undefined } as const;
  const serials = { serial: "", previousSerial: "" };
  return { id, nodeName: id, version: "", binding, joinedAt: 0, attested, ...serials, lastSeen: 0, banned };
}

function placed(agentId: string, namespace: string, serviceAccount: string): PlacedWorkload {
  return {
    name: `${serviceAccount}-1`,
    namespace,
    service: serviceAccount,
    serviceAccount,
    labels: {},
    ports: [],
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    ...PLAIN_SIDECAR,
    dataPlane: "builtin",
    catalog: undefined,
    group: undefined,
    agentId,
    registeredAt: 0,
    banned: false,
  };
}

test("an agent that names nobody gets its own identity", () => {
  assert.equal(decideIdentity(agent("x", UNBOUND), undefined, [], "td"), "spiffe://td/lateen/agent/x");
});

test("over all agents, bindings and placements: an identity is given exactly when it is placed here and bound here", () => {
  const bindings = [UNBOUND, { ...UNBOUND, namespace: "a" }, { ...UNBOUND, serviceAccounts: ["b", "c"] }];
  let given = 0;
  for (const owner of NAMES) {
    for (const caller of NAMES) {
      for (const binding of bindings) {
        for (const namespace of NAMES) {
          for (const account of NAMES) {
            const wanted = workloadSpiffeId("td", namespace, account);
            const bound =
              (binding.namespace ?? namespace) === namespace &&
              (binding.serviceAccounts ?? [account]).includes(account);
            const ask = () =>
              decideIdentity(agent(caller, binding), wanted, [placed(owner, namespace, account)], "td");
            if (owner === caller && bound) assert.equal(ask(), wanted);
            else assert.throws(ask, { code: "attest.refused" });
            if (owner === caller && bound) given++;
          }
        }
      }
    }
  }
  assert.equal(given, 3 * (9 + 3 + 6));
});

test("a banned agent gets no workload's identity", () => {
  const wanted = workloadSpiffeId("td", "a", "a");
  const ask = () => decideIdentity(agent("x", UNBOUND, true), wanted, [placed("x", "a", "a")], "td");
  assert.throws(ask, { code: "attest.refused" });
});
