import assert from "node:assert/strict";
import { access, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import { TestApp } from "../../test/harness/proxy-pair.ts";
import { isRunning, ProxyProgram } from "../../test/harness/proxy-program.ts";
import { TestProxy } from "../../test/harness/test-proxy.ts";
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

function listenerAt(path: string): ReturnType<typeof outboundHttp> {
  return { ...outboundHttp(0, "80"), name: "unix", address: { pipe: { path } } };
}

for (const concurrency of [1, 2]) {
  test(`a listener at a unix socket outlasts a restart of its proxy of ${concurrency} worker(s), and its file goes with it`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "lateen-unix-listener-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "mesh.sock");
    await using app = await TestApp.start((_request, response) => response.end("here"));
    await using proxy = await ProxyProgram.start({ concurrency, drainSeconds: 1 });
    proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
    proxy.ads.set("listener", "unix", listenerAt(path));
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

test("a socket that somebody serves, and a file that is none, stay as they are", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-unix-listener-"));
  t.after(() => rm(folder, { recursive: true }));
  const [served, file] = [join(folder, "served.sock"), join(folder, "file")];
  await writeFile(file, "kept");
  const other = createServer((_request, response) => response.writeHead(204).end());
  await new Promise<void>((resolve) => other.listen(served, resolve));
  t.after(() => other.close());
  await using app = await TestApp.start((_request, response) => response.end("here"));
  await using proxy = await TestProxy.start();
  proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
  proxy.ads.set("route", "80", routeConfig("80", [routeTo("c")]));
  for (const path of [served, file]) {
    const before = proxy.ads.nacks.length;
    proxy.ads.set("listener", "unix", listenerAt(path));
    await eventually("it is refused", () => proxy.ads.nacks.length > before);
    assert.match(proxy.ads.nacks.at(-1) ?? "", /proxy\.bind: .*the socket is in use/);
  }
  assert.equal(await readFile(file, "utf8"), "kept");
  assert.equal(await statusOf(served), 204);
});
