import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type { WorkloadReport } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { eventually } from "../../test/harness/eventually.ts";
import type { ServerChannel } from "../identity/channel.ts";
import { Registration } from "./registration.ts";

test("of changes that come faster than a slow server answers the newest is told, and each answer counts", async () => {
  const sent: number[] = [];
  const stream = Object.assign(new EventEmitter(), {
    write: ({ sequence }: WorkloadReport) => void sent.push(sequence),
    cancel: () => {},
  });
  const taken: string[] = [];
  const registration = new Registration({
    groups: { take: ([told]) => void taken.push(told?.problem ?? "") },
    concurrency: { take: () => {} },
    channel: { client: { makeBidiStreamRequest: () => stream } as unknown as ServerChannel["client"] },
    clock: systemClock,
    logger: silentLogger,
    random: () => 0,
  });
  const stop = new AbortController();
  const running = registration.run(stop.signal);
  const answer = (sequence: number, problem: string): void => {
    const told = { workload: "a/b", group: "g", serviceAccount: "", labels: {}, probe: undefined, problem };
    stream.emit("data", { sequence, refusals: [], settings: [], groups: [told] });
  };
  registration.set([]);
  await eventually("the first report", () => sent.length === 1);
  for (let change = 0; change < 100; change += 1) registration.set([]);
  await nextTurn();
  assert.deepEqual(sent, [1]);
  answer(1, "first");
  await eventually("the newest", () => sent.length === 2);
  assert.deepEqual([sent, taken, registration.state.kind], [[1, 101], ["first"], "reporting"]);
  answer(1, "late");
  answer(101, "second");
  answer(101, "judged again");
  assert.deepEqual([taken, registration.state.kind], [["first", "second", "judged again"], "acknowledged"]);
  stop.abort();
  await running;
});
