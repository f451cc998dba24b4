import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { notifySocket, receiveNotices } from "../../test/harness/notify-receiver.ts";
import { type ServiceNotifier, serviceNotifier, watchdogPeriodMs } from "./notify.ts";

function notifier(environment: Readonly<Record<string, string>>): ServiceNotifier {
  return serviceNotifier({ environment, clock: systemClock, logger: silentLogger, pid: 4711 });
}

test("systemd hears that the agent is ready, how it is, and that it goes", async (t) => {
  const path = await notifySocket(t);
  const next = await receiveNotices(t, path);
  const told = notifier({ NOTIFY_SOCKET: path });
  told.ready("3 services,\n3 ready");
  assert.equal(await next(), "READY=1\nSTATUS=3 services, 3 ready\nMAINPID=4711");
  told.status("2 services");
  assert.equal(await next(), "STATUS=2 services");
  told.stopping();
  assert.equal(await next(), "STOPPING=1");
});

test("an abstract socket is heard too", async (t) => {
  const path = `@lateen-test-${process.pid}`;
  const next = await receiveNotices(t, path);
  notifier({ NOTIFY_SOCKET: path }).stopping();
  assert.equal(await next(), "STOPPING=1");
});

test("the watchdog is told at half its period until the signal is aborted", async (t) => {
  const path = await notifySocket(t);
  const next = await receiveNotices(t, path);
  const stop = new AbortController();
  const running = notifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: "10000" }).runWatchdog(stop.signal);
  assert.equal(await next(), "WATCHDOG=1");
  assert.equal(await next(), "WATCHDOG=1");
  stop.abort();
  await running;
});

test("without systemd nothing is sent, and a watchdog of another process is not fed", async (t) => {
  const sent: string[] = [];
  const send = (path: string): void => {
    sent.push(path);
  };
  const silent = serviceNotifier({ environment: {}, clock: systemClock, logger: silentLogger, pid: 1, send });
  silent.ready("x");
  silent.stopping();
  await silent.runWatchdog(t.signal);
  assert.deepEqual(sent, []);
  assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "2" }, 1), undefined);
  assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" }, 1), 15_000);
  assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: "soon" }, 1), undefined);
});

test("a socket that nobody reads is complained about once and does no harm", () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const told = serviceNotifier({
    environment: { NOTIFY_SOCKET: "/nonexistent/notify.sock" },
    clock: systemClock,
    logger,
    pid: 1,
  });
  told.stopping();
  told.stopping();
  assert.deepEqual(warnings, ["systemd could not be told"]);
});
