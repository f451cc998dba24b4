import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { FIRST_ALONE, LOOPS, THROWS } from "../../test/fakes/planted-faults.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { call } from "../../test/harness/proxy-pair.ts";
import { isRunning } from "../../test/harness/proxy-program.ts";
import { freePort } from "../../test/harness/test-proxy.ts";
import {
  counted,
  faulty,
  hold,
  listening,
  MANY,
  REQUESTS,
  twoWorkers,
} from "../../test/harness/two-workers.ts";
import { address, outboundHttp, routeConfig, routeTo } from "../../test/harness/xds-samples.ts";

const ENDED = /^lateen_proxy_workers_replaced_total\{reason="ended"\}/;

test("while a worker hangs the others are asked, and nothing that it counted is missing", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const clients = await hold(port, MANY);
  assert.equal(await counted(proxy, REQUESTS), MANY);
  await faulty(port, LOOPS);
  const answers = await Promise.all(
    ["/stats/prometheus", "/clusters", "/config_dump", "/listeners", "/ready", "/stats/prometheus"].map(
      (path) => proxy.admin(path),
    ),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 200, 200],
  );
  const { body } = answers.at(-1) ?? { body: "" };
  assert.match(body, /^lateen_proxy_workers_replaced_total\{reason="hung"\} 0$/m, "it was waited for");
  assert.match(body, new RegExp(`^istio_requests_total\\{.*\\} ${MANY}$`, "m"));
  for (const { socket } of clients) socket.destroy();
});

test("a proxy that is to stop does so, though a worker hangs", async () => {
  await using serving = await twoWorkers({ drainSeconds: 1 });
  const { proxy, port } = serving;
  const pid = await proxy.pid();
  await faulty(port, LOOPS);
  process.kill(pid, "SIGTERM");
  await eventually("it has ended", async () => !(await isRunning(pid)), 20_000);
  assert.match(await proxy.log(), /a worker did not stop by itself and is ended/);
});

test("a worker that takes another's place while the proxy drains drains as well", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const closes = async (): Promise<readonly (string | undefined)[]> => {
    const agents = Array.from({ length: MANY }, () => new Agent({ keepAlive: true }));
    const replies = await Promise.all(agents.map(async (agent) => await call(port, "/", { agent })));
    for (const agent of agents) agent.destroy();
    return [...new Set(replies.map(({ headers }) => headers.connection))];
  };
  assert.deepEqual(await closes(), [undefined]);
  assert.equal((await proxy.admin("/drain_listeners?graceful", "POST")).status, 200);
  assert.deepEqual(await closes(), ["close"]);
  await faulty(port, THROWS);
  await eventually("it is replaced", async () => (await counted(proxy, ENDED)) === 1);
  await eventually("both listen", async () => (await listening(port)) === 2);
  assert.deepEqual(await closes(), ["close"]);
});

test("a listener that the second worker cannot have is not the first one's either", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const name = `127.0.0.1_${port}`;
  const elsewhere = await freePort();
  proxy.ads.set("listener", name, {
    ...outboundHttp(port, "80"),
    address: address(elsewhere, FIRST_ALONE),
  });
  await eventually("it is refused", () => proxy.ads.nacks.some((why) => why.includes("no socket is left")));
  assert.equal(await listening(elsewhere), 0);
  const replies = await Promise.all(Array.from({ length: MANY }, async () => await call(port)));
  assert.deepEqual([...new Set(replies.map(({ body }) => body))], ["here"]);
  assert.match((await proxy.admin("/listeners")).body, new RegExp(`^${name}::127\\.0\\.0\\.1:${port}$`, "m"));
});

test("sockets that a worker inherited and had not accepted from end with it", async () => {
  await using serving = await twoWorkers();
  const { proxy, port } = serving;
  const late = await freePort();
  proxy.ads.set("listener", `127.0.0.1_${late}`, outboundHttp(late, "late"));
  await eventually("the port waits for its routes", async () =>
    (await proxy.admin("/ready")).body.includes("waits for"),
  );
  await proxy.succeed();
  await faulty(port, THROWS);
  await eventually("a worker of the successor is replaced", async () => (await counted(proxy, ENDED)) === 1);
  await eventually("each listens by one socket", async () => (await listening(port)) === 2);
  proxy.ads.set("route", "late", routeConfig("late", [routeTo("c")]));
  await proxy.ready();
  const statuses = await Promise.all(Array.from({ length: MANY }, async () => (await call(late)).status));
  assert.deepEqual([...new Set(statuses)], [200]);
});
