/**
 * DNS of the agent: answers a second and their times, CPU for each; of names of the mesh, and of names that are passed on to
 * a resolver beside it. Server and clients are processes of their own, by UDP over loopback.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { encode } from "dns-packet";
import { type Result, report } from "./report.ts";

const HOSTS = 10_000;
const AT_ONCE = 64;
const SECONDS = 8;

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  readonly lost: number;
}

const server = fork(new URL("./dns/server.ts", import.meta.url), [String(HOSTS)]);
try {
  const [{ port, tableMiB }] = (await once(server, "message")) as [{ port: number; tableMiB: number }];
  const mesh = await measure(server, port, (at) => `service-${at % HOSTS}.default.mesh`);
  const one = await measure(server, port, (at) => `service-${at % HOSTS}.default.mesh`, 1);
  const outside = await measure(server, port, (at) => `host-${at}.example`);
  const figure = (name: string, value: number, unit: string, better: Result["better"]): Result => {
    return { name, value: Number(value.toPrecision(3)), unit, target: null, better };
  };
  await report("dns", [
    figure("names of the mesh", mesh.perSecond, "answers/s", "higher"),
    figure("  p99, 64 at once", mesh.p99Ms, "ms", "lower"),
    figure("  p50, one at a time", one.p50Ms, "ms", "lower"),
    figure("  p99, one at a time", one.p99Ms, "ms", "lower"),
    figure("  CPU", mesh.cpuMicros, "µs/answer", "lower"),
    figure("names outside", outside.perSecond, "answers/s", "higher"),
    figure("  p99, 64 at once", outside.p99Ms, "ms", "lower"),
    figure("  CPU", outside.cpuMicros, "µs/answer", "lower"),
    figure("lost", mesh.lost + one.lost + outside.lost, "answers", "lower"),
    figure(`table of ${HOSTS} hosts`, tableMiB, "MiB", "lower"),
  ]);
} finally {
  server.kill();
}

async function measure(
  server: ChildProcess,
  port: number,
  nameOf: (at: number) => string,
  atOnce: number = AT_ONCE,
): Promise<Figures> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const sent = new Map<number, number>();
  const times: number[] = [];
  let asked = 0;
  const ask = (): void => {
    const id = asked % 65_536;
    sent.set(id, performance.now());
    const question = encode({
      type: "query",
      id,
      flags: 0x01_00,
      questions: [{ name: nameOf(asked), type: "A" }],
    });
    asked += 1;
    socket.send(question, port, "127.0.0.1");
  };
  const before = await cpuMicrosOf(server);
  const begin = performance.now();
  const over = begin + SECONDS * 1000;
  socket.on("message", (reply) => {
    const id = reply.readUInt16BE(0);
    times.push(performance.now() - (sent.get(id) ?? Number.NaN));
    sent.delete(id);
    if (performance.now() < over) ask();
  });
  for (let at = 0; at < atOnce; at++) ask();
  await settled(socket, sent, over);
  const seconds = (performance.now() - begin) / 1000;
  const cpu = (await cpuMicrosOf(server)) - before;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return {
    perSecond: times.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: cpu / times.length,
    lost: sent.size,
  };
}

/** Until the time is over and all is answered; what is not by then is lost. */
async function settled(socket: Socket, sent: ReadonlyMap<number, number>, over: number): Promise<void> {
  const late = over + 2_000;
  while (performance.now() < over || (sent.size > 0 && performance.now() < late))
    await new Promise((resolve) => setTimeout(resolve, 5));
  const closed = once(socket, "close");
  socket.close();
  await closed;
}

async function cpuMicrosOf(server: ChildProcess): Promise<number> {
  server.send("cpu");
  const [micros] = (await once(server, "message")) as [number];
  return micros;
}
