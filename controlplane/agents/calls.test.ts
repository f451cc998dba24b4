import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { NewestAnswer } from "./calls.ts";

test("a caller that reads slowly gets the newest answer, not all", async () => {
  const taken: number[] = [];
  let release: (() => void) | undefined;
  const caller = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(answer: number, _, done) {
      taken.push(answer);
      release = done;
    },
  });
  const answers = new NewestAnswer<number>(caller);
  for (let answer = 1; answer <= 1000; answer += 1) answers.put(answer);
  assert.deepEqual(taken, [1]);
  const waiting = answers.taken(new AbortController().signal);
  release?.();
  await waiting;
  assert.deepEqual(taken, [1, 1000]);
  await assert.rejects(answers.taken(AbortSignal.abort()));
});
