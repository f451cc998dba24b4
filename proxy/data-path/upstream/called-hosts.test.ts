import assert from "node:assert/strict";
import { test } from "node:test";
import { CalledHosts } from "./called-hosts.ts";
import type { UpstreamHost } from "./upstream-host.ts";

interface Made {
  readonly hosts: CalledHosts;
  readonly retired: string[];
  nowMs: number;
}

function start(): Made {
  const retired: string[] = [];
  const made: Made = {
    retired,
    nowMs: 0,
    hosts: new CalledHosts({
      forgetMs: 1000,
      now: () => made.nowMs,
      make: ({ address, port }) => {
        const key = `${address}:${port}`;
        const host = { key, active: 0, retirePools: () => void retired.push(key) };
        return host as unknown as UpstreamHost;
      },
    }),
  };
  return made;
}

const at = (address: string, port = 80): { readonly address: string; readonly port: number } => ({
  address,
  port,
});

test("a place is one host for all who call it", () => {
  const { hosts } = start();
  const first = hosts.at(at("10.0.0.1"));
  assert.equal(hosts.at(at("10.0.0.1")), first);
  assert.notEqual(hosts.at(at("10.0.0.1", 81)), first);
});

test("who is not called any more is forgotten, and who is in use never", () => {
  const made = start();
  const busy = made.hosts.at(at("10.0.0.1"));
  if (busy) busy.active = 1;
  made.hosts.at(at("10.0.0.2"));
  made.nowMs = 900;
  made.hosts.at(at("10.0.0.3"));
  made.nowMs = 1000;
  assert.equal(made.hosts.at(at("10.0.0.1")), busy);
  assert.deepEqual(made.retired, ["10.0.0.2:80"]);
});

test("there are never more than so many: an idle one makes room, and nobody is called when there is none", () => {
  const { hosts, retired } = start();
  const all = Array.from({ length: 10_000 }, (_, index) => hosts.at(at("10.0.0.1", index + 1)));
  hosts.at(at("10.0.0.2"));
  assert.deepEqual(retired, ["10.0.0.1:1"]);
  for (const host of [...all, hosts.at(at("10.0.0.2"))]) if (host) host.active = 1;
  assert.equal(hosts.at(at("10.0.0.3")), undefined);
  assert.equal([...hosts].length, 10_000);
});

test("a cluster that goes takes the connections to its hosts along", () => {
  const { hosts, retired } = start();
  hosts.at(at("10.0.0.1"));
  hosts.close();
  assert.deepEqual([retired, [...hosts]], [["10.0.0.1:80"], []]);
});
