import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type ServiceNotifier, serviceNotifier, watchdogPeriodMs } from "./notify.ts";

/** Prints each datagram that arrives, as JSON: Node itself has no unix datagram sockets. */
const RECEIVER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind("\\0" + path[1:] if path.startswith("@") else path)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(s.recv(4096).decode()), flush=True)
`;

async function receive(t: TestContext, path: string): Promise<() => Promise<string>> {
  const child = spawn("python3", ["-c", RECEIVER, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => JSON.parse((await lines.next()).value ?? '"nothing"') as string;
  assert.equal(await next(), "bound");
  return next;
}

function notifier(environment: Readonly<Record<string, string>>): ServiceNotifier {
  return serviceNotifier({ environment, clock: systemClock, logger: silentLogger, pid: 4711 });
}

async function socketPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-notify-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "notify.sock");
}

test("systemd hears that the agent is ready, how it is, and that it goes", async (t) => {
  const path = await socketPath(t);
  const next = await receive(t, path);
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
  const next = await receive(t, path);
  notifier({ NOTIFY_SOCKET: path }).stopping();
  assert.equal(await next(), "STOPPING=1");
});

test("the watchdog is told at half its period until the signal is aborted", async (t) => {
  const path = await socketPath(t);
  const next = await receive(t, path);
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
