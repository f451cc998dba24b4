import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { CapturePlan } from "../capture/capture-plan.ts";
import type { TableState } from "../capture/table-state.ts";
import { parseServices } from "../discovery/file/parse-services.ts";
import type { ListeningSocket } from "../registration/listening-sockets.ts";
import { captureOffFindings, leftOpenFindings, tableFindings } from "./capture-findings.ts";

const asked: AskedCapture = {
  workload: "default/web",
  place: { address: "10.0.0.3", port: 8080 },
  at: { outbound: 15_001, inbound: 15_006, ipv6: true },
};
const plan: CapturePlan = {
  services: [
    {
      workload: "default/web",
      outbound: 15_001,
      inbound: 15_006,
      place: asked.place,
      everywhere: true,
      ipv6: true,
    },
  ],
  runDir: "/run/lateen",
  meshUid: 990,
  keptPorts: [22],
};
const inForce = { mark: "ab", digest: "d", confirmed: true, plan };
const table: TableState = { mark: "ab", digest: "d", life: { kind: "on" }, stale: [] };

const codes = (findings: readonly HostFinding[]): readonly string[] =>
  findings.map(({ code, severity }) => `${severity} ${code}`);

test("a service that asks for capture and has none is told, until rules for its very ports are in force", () => {
  assert.deepEqual(codes(captureOffFindings([asked], undefined)), ["warning host.capture-off"]);
  assert.deepEqual(captureOffFindings([asked], { plan }), []);
  const moved = { ...asked, at: { ...asked.at, outbound: 15_300 } };
  assert.deepEqual(codes(captureOffFindings([moved], { plan })), ["warning host.capture-off"]);
  const elsewhere = { ...asked, place: { address: "10.0.0.3", port: 8081 } };
  assert.deepEqual(codes(captureOffFindings([elsewhere], { plan })), ["warning host.capture-off"]);
  assert.deepEqual(captureOffFindings([], undefined), []);
});

const tables: readonly {
  readonly name: string;
  readonly given: Parameters<typeof tableFindings>[0];
  readonly want: readonly (readonly [string, RegExp])[];
}[] = [
  { name: "as it was applied", given: { table, inForce, silent: [] }, want: [] },
  {
    name: "none, and none was applied",
    given: { table: undefined, inForce: undefined, silent: [] },
    want: [],
  },
  {
    name: "gone",
    given: { table: undefined, inForce, silent: [] },
    want: [["error host.capture-changed", /are gone/]],
  },
  {
    name: "somebody's",
    given: { table, inForce: undefined, silent: [] },
    want: [["error host.capture-changed", /nobody knows what for/]],
  },
  {
    name: "changed",
    given: { table: { ...table, digest: "other" }, inForce, silent: [] },
    want: [["error host.capture-changed", /somebody has changed/]],
  },
  {
    name: "not confirmed yet",
    given: { table: { ...table, life: { kind: "ends", inSeconds: 12 } }, inForce, silent: [] },
    want: [["warning host.capture-off", /in 12 s/]],
  },
  {
    name: "over",
    given: { table: { ...table, life: { kind: "over" } }, inForce, silent: [] },
    want: [["error host.capture-changed", /not confirmed in time/]],
  },
  {
    name: "with a unit that started anew",
    given: { table: { ...table, stale: ["owners_15006"] }, inForce, silent: [] },
    want: [["error host.capture-changed", /owners_15006 is gone/]],
  },
  {
    name: "with a proxy that does not listen",
    given: { table, inForce, silent: [15_006] },
    want: [["error host.capture-changed", /port 15006, and no proxy/]],
  },
];

for (const { name, given, want } of tables) {
  test(`the table is ${name}`, () => {
    const found = tableFindings(given);
    assert.deepEqual(
      codes(found),
      want.map(([code]) => code),
    );
    for (const [index, [, message]] of want.entries()) assert.match(found[index]?.message ?? "", message);
    for (const { hint } of found) assert.notEqual(hint, "");
  });
}

/** What is left open of one service, where these listen. */
function leftOpen(service: string, sockets: readonly ListeningSocket[]): readonly string[] {
  const parsed = parseServices(`services: [{ name: web, port: 8080${service} }]`, "10.0.0.3");
  assert.ok(parsed.ok);
  const foreign = ({ port }: { readonly port: number }): ListeningSocket | undefined =>
    sockets.find((socket) => socket.port === port);
  return leftOpenFindings(parsed.services, sockets, foreign).map(
    ({ message }) => /at (\S+) past/.exec(message)?.[1] ?? "",
  );
}

const socket = (address: string, port: number, uid = 1001): ListeningSocket => ({
  address,
  port,
  uid,
  inode: "1",
});

test("an application that listens beyond loopback can be called past its proxy", () => {
  assert.deepEqual(leftOpen("", [socket("0.0.0.0", 8080)]), ["0.0.0.0:8080"]);
  assert.deepEqual(leftOpen("", [socket("127.0.0.1", 8080)]), []);
  assert.deepEqual(leftOpen("", []), []);
});

test("of a captured service it is the other ports of its user", () => {
  const captured = ", interception: redirect";
  const all = [
    socket("0.0.0.0", 8080),
    socket("0.0.0.0", 9100),
    socket("127.0.0.1", 9101),
    socket("0.0.0.0", 9102, 1002),
    socket("0.0.0.0", 15_001),
  ];
  assert.deepEqual(leftOpen(captured, all), ["0.0.0.0:9100"]);
  assert.deepEqual(leftOpen(captured, [socket("0.0.0.0", 8080, 0), socket("0.0.0.0", 22, 0)]), []);
});
