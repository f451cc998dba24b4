import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AccessLogType,
  HTTPAccessLogEntry,
  TCPAccessLogEntry,
} from "../xds/gen/envoy/data/accesslog/v3/accesslog.ts";
import { httpCallKind, tcpCallKind } from "./call-kind.ts";
import { toHttpEntry, toTcpEntry } from "./log-entry.ts";
import { readHttpDecisions, readTcpDecisions } from "./logged-decisions.ts";

const NO = "ns[default]-policy[no]-rule[0]";
const YES = "ns[default]-policy[yes]-rule[1]";
const TRIED = "ns[default]-policy[tried]-rule[0]";

interface HttpCase {
  readonly name: string;
  readonly details?: string;
  readonly results: Readonly<Record<string, string>>;
  readonly want: readonly (readonly [
    policy: string,
    result: string,
    enforced: boolean,
    authorizer?: string,
  ])[];
}

// As a real Envoy 1.40 tells them.
const HTTP: readonly HttpCase[] = [
  {
    name: "what a DENY policy refused, and what one in dry run would have",
    details: `rbac_access_denied_matched_policy[${NO}]`,
    results: {
      enforced_engine_result: "denied",
      enforced_effective_policy_id: NO,
      istio_dry_run_deny_shadow_engine_result: "denied",
      istio_dry_run_deny_shadow_effective_policy_id: TRIED,
    },
    want: [
      [NO, "denied", true],
      [TRIED, "denied", false],
    ],
  },
  {
    name: "what no ALLOW policy let in",
    details: "rbac_access_denied_matched_policy[none]",
    results: { enforced_engine_result: "denied" },
    want: [["none", "denied", true]],
  },
  {
    name: "what an ALLOW policy let in, and one in dry run would not have",
    details: "via_upstream",
    results: {
      enforced_engine_result: "allowed",
      enforced_effective_policy_id: YES,
      istio_dry_run_deny_shadow_engine_result: "allowed",
      istio_dry_run_allow_shadow_engine_result: "denied",
    },
    want: [
      [YES, "allowed", true],
      ["none", "denied", false],
    ],
  },
  {
    name: "what an AUDIT policy saw",
    details: "via_upstream",
    results: {
      lateen_audit_enforced_engine_result: "allowed",
      lateen_audit_enforced_effective_policy_id: NO,
      enforced_engine_result: "allowed",
    },
    want: [[NO, "audited", true]],
  },
  {
    name: "whose authorizer refused it",
    details: "ext_authz_denied",
    results: {
      istio_ext_authz_shadow_engine_result: "denied",
      istio_ext_authz_shadow_effective_policy_id: `istio-ext-authz-the-door-${NO}`,
    },
    want: [[NO, "denied", true, "refused"]],
  },
  {
    name: "whose authorizer said nothing",
    details: "ext_authz_error",
    results: { istio_ext_authz_shadow_effective_policy_id: `istio-ext-authz-door-${NO}` },
    want: [[NO, "denied", true, "silent"]],
  },
  {
    name: "nothing of an authorizer that let it pass, or that is no policy's",
    details: "via_upstream",
    results: {
      istio_ext_authz_shadow_engine_result: "denied",
      istio_ext_authz_shadow_effective_policy_id: `istio-ext-authz-door-${NO}`,
    },
    want: [],
  },
  {
    name: "nothing of an authorizer that no policy asks",
    details: "ext_authz_denied",
    results: {},
    want: [],
  },
];
for (const { name, details = "", results, want } of HTTP) {
  test(`Envoy's log of a request tells ${name}`, () => {
    const entry = HTTPAccessLogEntry.fromPartial({
      commonProperties: {
        downstreamRemoteAddress: { socketAddress: { address: "10.0.0.9", portValue: 4711 } },
        downstreamLocalAddress: { socketAddress: { address: "10.0.0.1", portValue: 80 } },
        metadata: { filterMetadata: { "envoy.filters.http.rbac": results } },
      },
      request: { requestMethod: 1, path: "/orders?secret=1" },
      response: { responseCodeDetails: details },
    });
    const told = readHttpDecisions(entry);
    assert.deepEqual(
      told?.decisions.map(({ policy, result, enforced, authorizer }) =>
        authorizer === undefined ? [policy, result, enforced] : [policy, result, enforced, authorizer],
      ),
      want,
    );
    assert.deepEqual(told?.call, {
      client: "",
      from: "10.0.0.9:4711",
      at: "10.0.0.1:80",
      method: "GET",
      path: "/orders",
    });
  });
}

test("Envoy's log of a connection tells who refused it, once, when it has ended", () => {
  const common = {
    connectionTerminationDetails: `rbac_access_denied_matched_policy[${NO}]`,
    metadata: {
      filterMetadata: {
        "envoy.filters.network.rbac": {
          istio_dry_run_deny_shadow_engine_result: "denied",
          istio_dry_run_deny_shadow_effective_policy_id: TRIED,
        },
      },
    },
  };
  const read = (accessLogType: AccessLogType): unknown =>
    readTcpDecisions(TCPAccessLogEntry.fromPartial({ commonProperties: { ...common, accessLogType } }))
      ?.decisions;
  assert.deepEqual(read(AccessLogType.TcpConnectionEnd), [
    { policy: NO, result: "denied", enforced: true },
    { policy: TRIED, result: "denied", enforced: false },
  ]);
  assert.equal(read(AccessLogType.TcpPeriodic), undefined);
});

test("what the built-in proxy tells is not counted again", () => {
  const call = { source: "", port: 80, method: "GET", host: "web", issuer: "", target: "/" };
  const counted = { count: 3, firstSeenMs: 1, lastSeenMs: 2 };
  const details = "rbac_access_denied_matched_policy[none]";
  const http = toHttpEntry({ ...httpCallKind({ ...call, details }), ...counted });
  const tcp = toTcpEntry({ ...tcpCallKind(call, details), ...counted });
  assert.deepEqual(readHttpDecisions(http)?.decisions, []);
  assert.deepEqual(readTcpDecisions(tcp)?.decisions, []);
});
