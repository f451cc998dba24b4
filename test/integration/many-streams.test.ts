import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { ApplyReply, List, ProxyReply } from "../../mesh/admin-api/replies.ts";
import { type Fleet, startFleet } from "../harness/agent-fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { FleetFollower, unreadFollower } from "../harness/fleet-follower.ts";

const STREAMS = 300;
/** Far beyond what it takes on an idle machine: these tests are about who gets something, not how fast. */
const LIMIT_MS = 60_000;
/** An answer of the server's health that takes longer would have it restarted by many. */
const HEALTH_MS = 5_000;
/** More than HTTP/2 lets out to one who does not read. */
const SERVICES = 200;

const clusterOf = (host: string): string => `outbound|80||${host}`;

function serviceEntry(host: string): string {
  return `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host} }
spec: { hosts: [${host}], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 192.0.2.1 }] }`;
}

describe("many streams at once", { timeout: 4 * LIMIT_MS }, () => {
  let fleet: Fleet | undefined;
  const started = (): Fleet => {
    assert.ok(fleet, "the server is up");
    return fleet;
  };
  const followers: FleetFollower[] = [];

  before(async () => {
    fleet = await startFleet(STREAMS, "mesh");
    await apply(Array.from({ length: SERVICES }, (_, index) => serviceEntry(`s${index}.test`)).join(""));
    for (let index = 0; index < STREAMS; index++) followers.push(new FleetFollower(fleet, index));
  });
  after(async () => {
    for (const one of followers) one.disconnect();
    await fleet?.[Symbol.asyncDispose]();
  });

  async function apply(yaml: string): Promise<void> {
    const { snapshot } = await started().admin.post<ApplyReply>("/v1/apply", yaml);
    assert.ok(snapshot !== undefined, "it is published");
  }

  const proxies = async (): Promise<readonly ProxyReply[]> =>
    (await started().admin.get<List<ProxyReply>>("/v1/proxy-status")).items;

  /** All of them have a cluster for the host. */
  async function allHave(host: string, who: readonly FleetFollower[]): Promise<void> {
    const lacking = (): number => who.filter(({ clusters }) => !clusters.has(clusterOf(host))).length;
    await eventually(`all have ${host}`, () => lacking() === 0, LIMIT_MS);
  }

  test("one of two hundred that does not read delays no other, and has the newest state when it does", async () => {
    const [idle, ...others] = followers.slice(0, 200);
    assert.ok(idle);
    for (const one of others) one.connect();
    await allHave("s0.test", others);
    using slow = unreadFollower(started(), 0);
    const ofSlow = async () => (await proxies()).find(({ workload }) => workload === "default/web-0");
    await eventually("it is sent something", async () => (await ofSlow())?.types.cluster.sentAt, LIMIT_MS);
    for (let round = 0; round < 5; round++) {
      await apply(serviceEntry(`round${round}.test`));
      await allHave(`round${round}.test`, others);
    }
    assert.equal((await ofSlow())?.types.cluster.state, "STALE", "it has not read all that time");
    assert.deepEqual(
      others.map(({ lost }) => lost).filter((lost) => lost > 0),
      [],
    );
    const [first] = await slow.read(1);
    const names = first?.resources.map(({ name }) => name) ?? [];
    assert.ok(names.includes(clusterOf("s0.test")), "what was on its way arrives whole");
    for (const one of others) one.disconnect();
  });

  test("three hundred that come back within a second all have the newest state, and the server's health is told meanwhile", async () => {
    for (const one of followers) one.connect();
    await allHave("s1.test", followers);
    for (const one of followers) one.disconnect();
    await eventually("all are gone", async () => (await proxies()).length === 0, LIMIT_MS);
    await apply(serviceEntry("meanwhile.test"));

    const began = performance.now();
    const probe = new Worker(new URL("../harness/health-probe.ts", import.meta.url), {
      workerData: { port: started().healthPort },
    });
    const back = followers.map(async (one, index) => {
      await delay((index / STREAMS) * 1_000);
      one.connect();
    });
    await Promise.all(back);
    await allHave("meanwhile.test", followers);
    const synced = async (): Promise<boolean> => {
      const all = await proxies();
      return all.length === STREAMS && all.every(({ types }) => types.cluster.state === "SYNCED");
    };
    await eventually("all have said so", synced, LIMIT_MS);
    const tookMs = performance.now() - began;
    probe.postMessage("stop", []);
    const [answers] = (await once(probe, "message")) as [readonly number[]];
    const slowest = Math.max(...answers);
    // On a machine that is busy with other things all of it takes longer.
    assert.ok(slowest < Math.max(HEALTH_MS, tookMs / 2), `of ${tookMs} ms one answer took ${slowest}`);
    const most = Math.max(...followers.map(({ answers: count }) => count));
    assert.equal(most, 1, "one answer with what was new is enough for each");
  });
});
