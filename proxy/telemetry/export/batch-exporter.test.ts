import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { BatchExporter, type BatchExporterOptions } from "./batch-exporter.ts";

type Send = BatchExporterOptions<string>["send"];

interface Exported {
  readonly exporter: BatchExporter<string>;
  readonly delivery: BatchExporterOptions<string>["delivery"];
  readonly told: unknown[];
}

function exporting(send: Send): Exported {
  const delivery = { delivered: 0, dropped: 0 };
  const told: unknown[] = [];
  const exporter = new BatchExporter<string>({
    send,
    delivery,
    waits: () => {},
    lost: (error) => told.push(error),
    gone: new AbortController().signal,
  });
  return { exporter, delivery, told };
}

const refusing: Readonly<Record<string, Send>> = {
  "cannot be encoded": () => Promise.reject(new Error("no number")),
  "throws at once": () => {
    throw new Error("no number");
  },
  "is not taken": () => Promise.resolve(false),
};

for (const [name, send] of Object.entries(refusing)) {
  test(`a batch that ${name} is dropped, counted and told once, and the next is tried`, async () => {
    const asked: (readonly string[])[] = [];
    const { exporter, delivery, told } = exporting((items, signal) => {
      asked.push(items);
      return send(items, signal);
    });
    for (const item of ["a", "b"]) {
      exporter.add(item, 1);
      await exporter.close();
    }
    assert.deepEqual([delivery, told.length], [{ delivered: 0, dropped: 2 }, 1]);
    assert.deepEqual(asked, [["a"], ["b"]]);
    assert.ok(exporter.idle);
  });
}

test("a batch is sent when it is full, and none is longer than receivers take", async () => {
  const sizes: number[] = [];
  const { exporter, delivery } = exporting((items) => {
    sizes.push(items.length);
    return Promise.resolve(true);
  });
  for (let index = 0; index < 512; index++) exporter.add("short", 1);
  await eventually("it is sent without a clock", () => delivery.delivered === 512);
  for (let index = 0; index < 4; index++) exporter.add("long", 600 * 1024);
  await exporter.close();
  assert.deepEqual([sizes, delivery.delivered], [[512, 1, 1, 1, 1], 516]);
});

test("what waits is bounded by its number and by its length", () => {
  const { exporter, delivery } = exporting(() => new Promise(() => {}));
  for (let index = 0; index < 40; index++) exporter.add("long", 1024 * 1024);
  assert.equal(delivery.dropped, 24);
  const many = exporting(() => new Promise(() => {}));
  for (let index = 0; index < 20_000; index++) many.exporter.add("short", 1);
  // One batch is on its way.
  assert.equal(many.delivery.dropped, 10_000 - 512);
});

test("what is given to it while a batch is on its way goes with the end", async () => {
  const answers: PromiseWithResolvers<boolean>[] = [];
  const { exporter, delivery } = exporting(() => {
    const answer = Promise.withResolvers<boolean>();
    answers.push(answer);
    return answer.promise;
  });
  exporter.add("a", 1);
  exporter.begin();
  exporter.add("b", 1);
  const closed = exporter.close();
  answers[0]?.resolve(true);
  await eventually("the second is sent", () => answers.length === 2);
  answers[1]?.resolve(true);
  await closed;
  assert.equal(delivery.delivered, 2);
});
