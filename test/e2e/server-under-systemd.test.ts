import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { stateDirectory } from "../harness/agent-port.ts";
import { lateenIn } from "../harness/lateen-process.ts";
import { notifySocket, receiveNotices } from "../harness/notify-receiver.ts";

test("a server tells systemd that it is ready, that it lives, and that it goes", async (t) => {
  await using place = await stateDirectory();
  const path = await notifySocket(t);
  const next = await receiveNotices(t, path);
  const nextOf = async (key: string): Promise<string> => {
    for (;;) {
      const notice = await next();
      if (notice.includes(`${key}=`)) return notice;
    }
  };
  const server = lateenIn(
    undefined,
    ["server", "--state-dir", `${place.path}/state`, "--run-dir", `${place.path}/run`],
    silentLogger,
    {
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: "200000",
      LATEEN_SERVER_AGENTS_PORT: "0",
      LATEEN_SERVER_ADMIN_PORT: "0",
      LATEEN_SERVER_HEALTH_PORT: "0",
    },
  );
  t.after(() => server.kill("SIGKILL"));
  assert.match(await next(), /^READY=1\nSTATUS=0 services, 0 workloads, 0 proxies connected\nMAINPID=\d+$/);
  await nextOf("WATCHDOG");
  const gone = once(server, "exit");
  server.kill("SIGTERM");
  await nextOf("STOPPING");
  assert.deepEqual(await gone, [0, null]);
});
