import type { TestEvent } from "node:test/reporters";
import { secretsIn } from "./secrets-in.ts";

/**
 * A reporter of node:test that reads everything that the tests and what they start in their process print, and fails the run when a
 * secret is in it (R-KEY-4). The log books of simulated hosts print a line that holds one, so that it is found here.
 */
async function* canaries(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let leaks = 0;
  for await (const event of source) {
    if (event.type !== "test:stdout" && event.type !== "test:stderr" && event.type !== "test:diagnostic")
      continue;
    const { message, file = "" } = event.data;
    for (const found of secretsIn(message)) {
      leaks += 1;
      process.exitCode = 1;
      yield `canary: ${found} of what ${file} printed\n`;
    }
  }
  if (leaks > 0) yield `canary: ${leaks} secrets in the output of the tests, which fails the run\n`;
}

// oxlint-disable-next-line import/no-default-export -- node:test takes a reporter from the default export
export default canaries;
