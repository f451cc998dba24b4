import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type {
  DataPlaneSettings,
  ReportResult,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { eventually } from "../../test/harness/eventually.ts";
import type { ServerChannel } from "../identity/channel.ts";
import { Registration } from "./registration.ts";

/** A stream whose server answers each report with the settings that come next. */
class AnsweringStream extends EventEmitter {
  readonly #answers: readonly (readonly DataPlaneSettings[])[];
  #count = 0;

  constructor(answers: readonly (readonly DataPlaneSettings[])[]) {
    super();
    this.#answers = answers;
  }

  write({ sequence }: WorkloadReport): void {
    const settings = [...(this.#answers[this.#count] ?? [])];
    this.#count += 1;
    const result: ReportResult = { sequence, refusals: [], settings, groups: [] };
    queueMicrotask(() => this.emit("data", result));
  }

  cancel(): void {}
}

test("what the server says of a data plane holds until its next answer", async () => {
  const stream = new AnsweringStream([
    [
      { workload: "default/a", concurrency: 4 },
      { workload: "default/b", concurrency: 0 },
    ],
    [{ workload: "default/a", concurrency: 5 }],
  ]);
  const client = { makeBidiStreamRequest: () => stream } as unknown as ServerChannel["client"];
  const registration = new Registration({
    groups: { take: () => {} },
    channel: { client },
    clock: systemClock,
    logger: silentLogger,
    random: () => 0,
  });
  const stop = new AbortController();
  const running = registration.run(stop.signal);
  const told = (): readonly (number | undefined)[] =>
    ["default/a", "default/b", "default/c"].map((id) => registration.concurrencyOf(id));
  assert.deepEqual(told(), [undefined, undefined, undefined]);
  registration.set([]);
  await registration.acknowledged(stop.signal);
  assert.deepEqual(told(), [4, 0, undefined]);
  registration.set([]);
  await registration.acknowledged(stop.signal);
  assert.deepEqual(told(), [5, undefined, undefined]);
  stop.abort();
  await running;
});

test("of changes that come faster than a slow server answers the newest is told, and each answer counts", async () => {
  const sent: number[] = [];
  const stream = Object.assign(new EventEmitter(), {
    write: ({ sequence }: WorkloadReport) => void sent.push(sequence),
    cancel: () => {},
  });
  const taken: string[] = [];
  const registration = new Registration({
    groups: { take: ([told]) => void taken.push(told?.problem ?? "") },
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
