import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import type { VirtualHost } from "../model/route.ts";
import { OnDemandHosts } from "./on-demand-hosts.ts";

const NEVER = new AbortController().signal;

function host(...domains: string[]): VirtualHost {
  const edits = { request: { remove: [], add: [] }, response: { remove: [], add: [] } };
  return {
    name: domains.join(),
    domains,
    routes: [],
    edits,
    retry: undefined,
    filters: { fault: undefined, cors: undefined, saysHttp: false },
    requireTls: false,
    includeAttemptCount: false,
  };
}

function start(): { hosts: OnDemandHosts; clock: ManualClock; asks: () => number } {
  const clock = new ManualClock();
  let asks = 0;
  return { hosts: new OnDemandHosts({ clock, ask: () => asks++ }), clock, asks: () => asks };
}

test("a host is asked for once, whoever waits, and then known", async () => {
  const { hosts, asks } = start();
  const known = hosts.hostsOf("80");
  const waiting = [hosts.ask("80", "A.example:80", NEVER), hosts.ask("80", "a.example:80", NEVER)];
  assert.deepEqual([...hosts.names], ["80/a.example:80"]);
  const found = host("a.example:80");
  hosts.put(found, "80/a.example:80");
  await Promise.all(waiting);
  await hosts.ask("80", "a.example:80", NEVER);
  assert.equal(known.get("a.example:80"), found);
  assert.equal(asks(), 1);
});

test("a newer host takes the place of the former, and one that is gone leaves nothing", async () => {
  const { hosts } = start();
  const asked = hosts.ask("80", "a", NEVER);
  hosts.put(host("a"), "80/a");
  await asked;
  const newer = host("b");
  hosts.put(newer, "80/a");
  assert.deepEqual([...hosts.hostsOf("80")], [["b", newer]]);
  hosts.remove("80/a");
  assert.deepEqual([...hosts.hostsOf("80")], []);
  await hosts.ask("80", "a", NEVER);
});

test("who waits is let go when the time is over, and when its caller is gone", async () => {
  const { hosts, clock } = start();
  const gone = new AbortController();
  const waiting = [hosts.ask("80", "a", NEVER), hosts.ask("80", "a", gone.signal)];
  gone.abort();
  await waiting[1];
  clock.advance(5000);
  await waiting[0];
  assert.deepEqual([...hosts.names], ["80/a"]);
});

test("what nobody asked for is not taken", () => {
  const { hosts } = start();
  hosts.put(host("a"), "80/a");
  assert.equal(hosts.hostsOf("80").size, 0);
});

test("of too many the oldest that has been answered is forgotten", async () => {
  const { hosts } = start();
  for (let index = 0; index < 1001; index++) {
    const asked = hosts.ask("80", `h${index}`, NEVER);
    hosts.put(host(`h${index}`), `80/h${index}`);
    await asked;
  }
  assert.equal(hosts.names.size, 1000);
  assert.equal(hosts.hostsOf("80").has("h0"), false);
  assert.equal(hosts.hostsOf("80").has("h1000"), true);
});

test("with its route configuration go its hosts", async () => {
  const { hosts } = start();
  for (const routes of ["80", "81"]) {
    const asked = hosts.ask(routes, "a", NEVER);
    hosts.put(host("a"), `${routes}/a`);
    await asked;
  }
  hosts.prune(new Set(["81"]));
  assert.deepEqual([...hosts.names], ["81/a"]);
  assert.equal(hosts.hostsOf("80").size, 0);
});
