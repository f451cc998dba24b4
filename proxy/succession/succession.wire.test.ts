import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { FakeAds } from "../../test/harness/fake-ads.ts";
import { startProgramPair } from "../../test/harness/program-pair.ts";
import { TestApp } from "../../test/harness/proxy-pair.ts";
import { isRunning, ProxyProgram } from "../../test/harness/proxy-program.ts";
import { SteadyTraffic } from "../../test/harness/steady-traffic.ts";
import { adminAnswer } from "../../test/harness/test-proxy.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "../../test/harness/xds-samples.ts";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

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

test("a proxy ends when its successor can be asked under its name, not before", {
  timeout: 60_000,
}, async () => {
  await using proxy = await ProxyProgram.start({ drainSeconds: 1 });
  await proxy.ready();
  const former = await proxy.pid();
  const bootstrap = JSON.parse(await readFile(proxy.bootstrapFile, "utf8")) as Record<string, unknown>;
  const args = ["proxy", "--bootstrap", proxy.bootstrapFile, "--drain-seconds", "1"];
  const slow = ["--import", resolve(import.meta.dirname, "../../test/fakes/slow-admin.ts")];
  await proxy.writeBootstrap({ ...bootstrap, successor: [process.execPath, ...slow, LATEEN, ...args] });
  process.kill(former, "SIGUSR2");
  await eventually("the former has ended", async () => !(await isRunning(former)), 30_000);
  assert.notEqual(await proxy.pid(), former);
});

for (const concurrency of [1, 2]) {
  test(`a successor of ${concurrency} worker(s) that is told to stop before it serves takes nothing with it`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "lateen-successor-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "mesh.sock");
    const listener = { ...outboundHttp(0, "80"), name: "unix", address: { pipe: { path } } };
    await using app = await TestApp.start((_request, response) => response.end("here"));
    // It tells the successor all but the routes, without which that one never serves.
    await using other = new FakeAds(join(folder, "other.sock"));
    await other.start();
    await using proxy = await ProxyProgram.start({ concurrency, drainSeconds: 1 });
    for (const ads of [proxy.ads, other]) {
      ads.set("cluster", "c", staticCluster("c", [app.port]));
      ads.set("listener", "unix", listener);
    }
    proxy.ads.set("route", "80", routeConfig("80", [routeTo("c")]));
    await proxy.ready();
    const pid = await proxy.pid();
    const bootstrap = JSON.parse(await readFile(proxy.bootstrapFile, "utf8")) as Record<string, unknown>;
    const theirs = join(folder, "bootstrap.json");
    await writeFile(theirs, JSON.stringify({ ...bootstrap, xdsSocket: join(folder, "other.sock") }));
    const args = ["proxy", "--bootstrap", theirs, "--drain-seconds", "1", "--concurrency", `${concurrency}`];
    await proxy.writeBootstrap({ ...bootstrap, successor: [process.execPath, LATEEN, ...args] });
    process.kill(pid, "SIGUSR2");
    await eventually("the successor waits for its routes", () => other.acks("listener") > 0, 20_000);
    const started = (await proxy.log()).split("\n").find((line) => line.includes("a successor starts"));
    const { pid: successor } = JSON.parse(started ?? "{}") as { readonly pid?: number };
    assert.ok(successor !== undefined && successor > 1);
    process.kill(successor, "SIGTERM");
    await eventually("it is given up", async () => (await proxy.log()).includes("did not take over"), 20_000);
    await eventually("it has ended", async () => !(await isRunning(successor)));
    assert.equal(await proxy.pid(), pid);
    assert.deepEqual(await adminAnswer(path, "/"), { status: 200, body: "here" });
  });
}
