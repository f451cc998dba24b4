import assert from "node:assert/strict";
import { access, mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { TestApp } from "../../test/harness/proxy-pair.ts";
import { isRunning, ProxyProgram } from "../../test/harness/proxy-program.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "../../test/harness/xds-samples.ts";

const CALLS = 20;

/** How many calls over a unix socket are answered, each over a connection of its own. */
async function answered(socketPath: string): Promise<number> {
  const statuses = await Promise.all(Array.from({ length: CALLS }, () => statusOf(socketPath)));
  return statuses.filter((status) => status === 200).length;
}

async function statusOf(socketPath: string): Promise<number | undefined> {
  return await new Promise((resolve) => {
    request({ socketPath, agent: false, headers: { host: "unix.test" } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", () => resolve(undefined))
      .end();
  });
}

for (const concurrency of [1, 2]) {
  test(`a listener at a unix socket outlasts a restart of its proxy of ${concurrency} worker(s), and its file goes with it`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "lateen-unix-listener-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "mesh.sock");
    await using app = await TestApp.start((_request, response) => response.end("here"));
    await using proxy = await ProxyProgram.start({ concurrency, drainSeconds: 1 });
    proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
    proxy.ads.set("listener", "unix", {
      ...outboundHttp(0, "80"),
      name: "unix",
      address: { pipe: { path } },
    });
    proxy.ads.set("route", "80", routeConfig("80", [routeTo("c")]));
    await proxy.ready();
    assert.deepEqual(proxy.ads.nacks, []);
    assert.equal(await answered(path), CALLS);
    for (let successors = 0; successors < 2; successors++) {
      const former = await proxy.pid();
      await proxy.succeed();
      assert.equal(await answered(path), CALLS);
      await eventually("the former has ended", async () => !(await isRunning(former)));
      assert.equal(await answered(path), CALLS);
    }
    assert.deepEqual(await readdir(folder), ["mesh.sock"]);
    proxy.ads.remove("listener", "unix");
    await eventually(
      "the file is gone",
      async () =>
        await access(path).then(
          () => false,
          () => true,
        ),
    );
    assert.deepEqual(proxy.ads.nacks, []);
  });
}
