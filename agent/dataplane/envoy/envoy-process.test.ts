import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { Changes } from "../../state/changes.ts";
import { workloadPaths } from "../../state/paths.ts";
import { askAdmin, askServerInfo } from "../admin-client.ts";
import { processStartTime } from "../process-start-time.ts";
import { envoyDataPlane } from "./envoy-data-plane.ts";

test("a real Envoy starts, says which node it is, drains and goes", {
  skip: skipWithout("envoy"),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-envoy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = workloadPaths(folder, folder, { namespace: "default", name: "web" });
  const plane = envoyDataPlane({
    clock: systemClock,
    logger: silentLogger,
    random: () => 0,
    drainMs: 1000,
    environment: {},
    envoy: requireTool("envoy"),
    logLevel: "info",
  });
  await plane.check(t.signal);
  const web = plane.create(
    {
      id: "sidecar~127.0.0.1~web.default~default.svc.cluster.local",
      cluster: "web.default",
      metadata: {},
      xdsSocket: join(folder, "xds.sock"),
      adminSocket: files.adminSocket,
    },
    files,
    { said: () => ({ concurrency: 3 }), changes: new Changes() },
  );
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const info = await eventually("an answer of its admin", () => askServerInfo(files.adminSocket), 10_000);
  assert.equal(info.nodeId, "sidecar~127.0.0.1~web.default~default.svc.cluster.local");
  const { body } = await askAdmin(files.adminSocket, "/server_info");
  assert.match(body, /"concurrency": 3,/);
  // Without a relay it has no configuration: it waits, and is not ready.
  const { state } = web;
  assert.equal(state.kind, "starting");
  stop.abort();
  await done;
  assert.equal(processStartTime("pid" in state ? state.pid : 0), undefined);
});
