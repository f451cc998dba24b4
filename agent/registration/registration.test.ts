import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type {
  DataPlaneSettings,
  ReportResult,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
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
