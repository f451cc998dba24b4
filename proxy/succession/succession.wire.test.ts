import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { startProgramPair } from "../../test/harness/program-pair.ts";
import { isRunning } from "../../test/harness/proxy-program.ts";
import { SteadyTraffic } from "../../test/harness/steady-traffic.ts";

for (const concurrency of [1, 2]) {
  test(`a proxy of ${concurrency} worker(s) is replaced under traffic, and nobody is refused, reset or failed`, async () => {
    await using pair = await startProgramPair(concurrency);
    await using traffic = await SteadyTraffic.start(pair);
    const { tally } = traffic;
    const more = async (): Promise<void> => {
      const before = structuredClone(tally);
      await eventually(
        "traffic of each kind goes on",
        () =>
          traffic.failures.length > 0 ||
          (tally.http.done > before.http.done + 100 &&
            tally.tcp.done > before.tcp.done + 20 &&
            tally.webSocket.done > before.webSocket.done + 10),
        20_000,
      );
    };
    await more();
    const former: number[] = [];
    for (const program of [pair.server, pair.client]) {
      former.push(await program.pid());
      await program.succeed();
      await more();
    }
    assert.deepEqual(traffic.failures, []);
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    for (const pid of former) {
      await eventually("who was replaced ends with its last connection", async () => !(await isRunning(pid)));
    }
  });
}

test("when a successor does not come up, the proxy goes on as before", async () => {
  await using pair = await startProgramPair(1);
  await using traffic = await SteadyTraffic.start(pair);
  const { client } = pair;
  const former = await client.pid();
  const bootstrap = JSON.parse(await readFile(client.bootstrapFile, "utf8")) as Record<string, unknown>;
  await client.writeBootstrap({ ...bootstrap, successor: ["/bin/false"] });
  process.kill(former, "SIGUSR2");
  await eventually("it says so", async () => (await client.log()).includes("did not take over"));
  assert.equal(await client.pid(), former);
  const { done } = traffic.tally.http;
  await eventually("traffic goes on", () => traffic.tally.http.done > done + 50);

  await client.writeBootstrap(bootstrap);
  assert.notEqual(await client.succeed(), former);
  await traffic.stop();
  assert.deepEqual(traffic.failures, []);
});
