import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { call, TestApp } from "../../../test/harness/proxy-pair.ts";
import { isRunning, ProxyProgram } from "../../../test/harness/proxy-program.ts";
import { parseScraped, samplesOf, sumOf } from "../../../test/harness/scraped.ts";
import { freePort } from "../../../test/harness/test-proxy.ts";
import {
  outboundHttp,
  routeConfig,
  routeTo,
  staticCluster,
  stdoutLog,
} from "../../../test/harness/xds-samples.ts";

const HEADERS = { "x-long": "x".repeat(14_000) };

test("a standard output that nobody reads costs lines, neither calls nor memory, and holds up no end", async () => {
  await using app = await TestApp.start();
  await using proxy = await ProxyProgram.start({ isUnread: true, drainSeconds: 1 });
  const port = await freePort();
  proxy.ads.set("cluster", "app", staticCluster("app", [app.port]));
  proxy.ads.set("route", "routes", routeConfig("routes", [routeTo("app")]));
  proxy.ads.set(
    "listener",
    "out",
    outboundHttp(port, "routes", { accessLog: [stdoutLog("%REQ(X-LONG)%\n")] }),
  );
  await proxy.ready();
  const dropped = async (): Promise<number> => {
    const { body } = await proxy.admin("/stats/prometheus");
    return sumOf(samplesOf(parseScraped(body), "lateen_access_log_dropped_total"));
  };
  await eventually(
    "lines are dropped",
    async () => {
      const replies = await Promise.all(
        Array.from({ length: 60 }, async () => await call(port, "/", { headers: HEADERS })),
      );
      assert.ok(replies.every(({ status }) => status === 200));
      return (await dropped()) > 0;
    },
    60_000,
  );
  const pid = await proxy.pid();
  process.kill(pid, "SIGTERM");
  await eventually("it ends", async () => !(await isRunning(pid)), 20_000);
});
