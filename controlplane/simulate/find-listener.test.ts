import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, PLAIN_CALL } from "./call.ts";
import { findListener } from "./find-listener.ts";
import { configOf, type Json, listener, socket } from "./testing/json-config.ts";

const unbound = { bindToPort: false };
const captured: readonly Json[] = [
  listener("virtualOutbound", "0.0.0.0", 15_001, { useOriginalDst: true, trafficDirection: "OUTBOUND" }),
  listener("virtualInbound", "0.0.0.0", 15_006, {
    trafficDirection: "INBOUND",
    listenerFilters: [{ name: "envoy.filters.listener.original_dst" }],
  }),
  listener("10.96.0.1_9080", "10.96.0.1", 9080, unbound),
  listener("0.0.0.0_9080", "0.0.0.0", 9080, unbound),
  listener("127.0.0.1_15080", "127.0.0.1", 15_080),
  listener("fd00::1_9080", "fd00::1", 9080, unbound),
];
const explicit: readonly Json[] = [
  listener("127.0.0.1_9080", "127.0.0.1", 9080),
  listener("0.0.0.0_9080", "0.0.0.0", 9080),
  listener("::_7070", "::", 7070),
  listener("dual", "0.0.0.0", 6060, { additionalAddresses: [{ address: socket("::1", 6060) }] }),
  listener("compatible", "::", 5050, {
    address: { socketAddress: { address: "::", portValue: 5050, ipv4Compat: true } },
  }),
  listener("old-unbound", "127.0.0.1", 4040, { deprecatedV1: { bindToPort: false } }),
];

interface Case {
  readonly name: string;
  readonly listeners: readonly Json[];
  readonly call: Partial<Call>;
  /** `listener`, `listener < the one that handed it on`, or `-`; `*`: the original destination is known. */
  readonly want: string;
}

const cases: readonly Case[] = [
  {
    name: "the exact address wins over the wildcard",
    listeners: explicit,
    call: { port: 9080 },
    want: "127.0.0.1_9080",
  },
  {
    name: "other addresses of the port",
    listeners: explicit,
    call: { address: "10.0.0.9", port: 9080 },
    want: "0.0.0.0_9080",
  },
  {
    name: "an address as IPv6 writes it",
    listeners: explicit,
    call: { address: "::ffff:127.0.0.1", port: 9080 },
    want: "127.0.0.1_9080",
  },
  {
    name: "the IPv6 wildcard takes IPv6",
    listeners: explicit,
    call: { address: "::1", port: 7070 },
    want: "::_7070",
  },
  { name: "the IPv6 wildcard alone takes no IPv4", listeners: explicit, call: { port: 7070 }, want: "-" },
  {
    name: "the IPv6 wildcard takes IPv4 where it says so",
    listeners: explicit,
    call: { port: 5050 },
    want: "compatible",
  },
  {
    name: "an additional address",
    listeners: explicit,
    call: { address: "0:0:0:0:0:0:0:1", port: 6060 },
    want: "dual",
  },
  { name: "a port that nobody binds", listeners: explicit, call: { port: 1 }, want: "-" },
  {
    name: "a listener that does not bind, in the older form",
    listeners: explicit,
    call: { port: 4040 },
    want: "-",
  },
  {
    name: "capture: the VIP's own listener",
    listeners: captured,
    call: { address: "10.96.0.1", port: 9080 },
    want: "10.96.0.1_9080 < virtualOutbound *",
  },
  {
    name: "capture: any address of the port",
    listeners: captured,
    call: { address: "10.96.0.2", port: 9080 },
    want: "0.0.0.0_9080 < virtualOutbound *",
  },
  {
    name: "capture: IPv6 is not the wildcard of IPv4",
    listeners: captured,
    call: { address: "fd00::2", port: 9080 },
    want: "virtualOutbound *",
  },
  {
    name: "capture: what no listener is for stays",
    listeners: captured,
    call: { address: "1.2.3.4", port: 25 },
    want: "virtualOutbound *",
  },
  {
    name: "capture: what is bound is not intercepted",
    listeners: captured,
    call: { port: 15_080 },
    want: "127.0.0.1_15080",
  },
  {
    name: "capture: inbound stays with the virtual listener",
    listeners: captured,
    call: { address: "10.96.0.1", port: 9080, direction: "inbound" },
    want: "virtualInbound *",
  },
  {
    name: "no capture: inbound at an unbound port",
    listeners: explicit,
    call: { port: 1, direction: "inbound" },
    want: "-",
  },
];

for (const { name, listeners, call, want } of cases) {
  test(`finds a listener: ${name}`, () => {
    const found = findListener(configOf({ listeners }).listeners.values(), { ...PLAIN_CALL, ...call });
    const via = found?.via === undefined ? "" : ` < ${found.via.name}`;
    assert.equal(found ? `${found.listener.name}${via}${found.restored ? " *" : ""}` : "-", want);
  });
}
