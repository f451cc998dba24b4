import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { type Probed, Probes } from "./probes.ts";

const ID = "default/web-1";
const SECOND = 1000;

/** An application that takes connections when it is up, a probe for it, and time that the test moves. */
async function ground(over: Partial<ReadinessProbe> = {}) {
  const clock = new ManualClock();
  const probes = new Probes({ clock, logger: silentLogger, loopback: "127.0.0.1", environment: {} });
  let turns = 0;
  let taken = 0;
  probes.changes.subscribe(() => (turns += 1));
  const server = createServer((socket) => {
    taken += 1;
    socket.destroy();
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const probe: ReadinessProbe = {
    initialDelayMs: 0,
    timeoutMs: SECOND,
    periodMs: SECOND,
    successThreshold: 1,
    failureThreshold: 2,
    check: { kind: "tcp", host: "", port },
    ...over,
  };
  return {
    clock,
    probes,
    probe,
    turns: () => turns,
    taken: () => taken,
    ask(changes: Partial<Probed> = {}): void {
      const before = { healthy: false, settled: true };
      probes.set(new Map([[ID, { workload: workload("web", { ports: [] }), probe, before, ...changes }]]));
    },
    /** Waits until the question is answered and the next is due. */
    answered: () => eventually("an answer", () => clock.sleeping === 1),
    async next(): Promise<void> {
      clock.advance(SECOND);
      await this.answered();
    },
    async down(): Promise<void> {
      server.close();
      await once(server, "close");
    },
    up: () => listen(port),
    async [Symbol.asyncDispose]() {
      await probes.stop();
      server.close();
    },
  };
}

test("an application is asked each period, and a verdict is told when it turns, not else", async () => {
  await using at = await ground();
  at.ask();
  assert.equal(at.probes.verdict(ID)?.healthy, false);
  await at.answered();
  assert.deepEqual([at.probes.verdict(ID)?.healthy, at.turns(), at.taken()], [true, 1, 1]);
  for (let round = 0; round < 5; round += 1) await at.next();
  assert.deepEqual([at.turns(), at.taken()], [1, 6]);
  await at.down();
  await at.next();
  assert.equal(at.probes.verdict(ID)?.healthy, true, "one failure is not enough");
  await at.next();
  assert.deepEqual([at.probes.verdict(ID)?.healthy, at.turns()], [false, 2]);
  assert.match(at.probes.verdict(ID)?.reason ?? "", /ECONNREFUSED/);
  await at.up();
  await at.next();
  assert.deepEqual([at.probes.verdict(ID)?.healthy, at.turns()], [true, 3]);
});

test("one that comes and goes between checks turns nothing", async () => {
  await using at = await ground();
  at.ask({ before: { healthy: true, settled: true } });
  await at.answered();
  for (let round = 0; round < 4; round += 1) {
    await at.down();
    await at.next();
    await at.up();
    await at.next();
  }
  assert.deepEqual([at.probes.verdict(ID)?.healthy, at.turns()], [true, 0]);
});

test("a new application is left alone at first, one that was ready before is not", async () => {
  await using at = await ground({ initialDelayMs: 5 * SECOND });
  at.ask();
  await at.answered();
  at.clock.advance(4 * SECOND);
  assert.equal(at.taken(), 0);
  at.clock.advance(SECOND);
  await eventually("asked", () => at.probes.verdict(ID)?.healthy);
  await using known = await ground({ initialDelayMs: 5 * SECOND });
  known.ask({ before: { healthy: true, settled: false } });
  await known.answered();
  assert.equal(known.taken(), 1);
});

test("what an agent before this one held is over with the first failure", async () => {
  await using at = await ground();
  await at.down();
  at.ask({ before: { healthy: true, settled: false } });
  await at.answered();
  assert.equal(at.probes.verdict(ID)?.healthy, false);
});

test("another question goes on from what is known, the same one is not asked twice, and none is asked of who has gone", async () => {
  await using at = await ground();
  at.ask();
  await at.answered();
  at.ask();
  assert.equal(at.clock.sleeping, 1);
  const slower = { ...at.probe, periodMs: 60 * SECOND };
  at.ask({ probe: slower });
  assert.equal(at.probes.verdict(ID)?.healthy, true);
  await eventually("asked anew", () => at.taken() === 2 && at.clock.sleeping === 1);
  assert.equal(at.turns(), 1);
  at.probes.set(new Map());
  assert.equal(at.probes.verdict(ID), undefined);
  await eventually("nobody waits", () => at.clock.sleeping === 0);
  at.clock.advance(3600 * SECOND);
  assert.equal(at.taken(), 2);
});
