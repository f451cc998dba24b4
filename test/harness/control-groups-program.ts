/**
 * Runs in a network and mount namespace of a test, as root: makes two control groups, captures what their processes call,
 * and says on stdout as JSON which port each was sent to.
 */
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { hasGroup } from "../../agent/capture/capture-host.ts";
import type { CapturePlan } from "../../agent/capture/capture-plan.ts";
import { captureRules } from "../../agent/capture/ruleset.ts";
import { parseTable } from "../../agent/capture/table-state.ts";

const ROOT = "/sys/fs/cgroup";
const PARENT = `lateen-test-${process.pid}`;
const ONE = `${PARENT}/one.service`;
const TWO = `${PARENT}/two.service`;
/** An address of the mesh's, which nothing but capture answers at this port. */
const CALLED = { address: "240.240.0.9", port: 9090 };

const [, , nft = "nft"] = process.argv;
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

run("sh", "-c", `umount -l ${ROOT} 2>/dev/null; mount -t cgroup2 none ${ROOT}`);
run("ip", "link", "set", "lo", "up");
run("ip", "route", "add", "local", "240.240.0.0/16", "dev", "lo");
for (const path of [PARENT, ONE, TWO]) mkdirSync(`${ROOT}/${path}`);
const servers = await Promise.all([15_001, 15_300].map(listen));
const said: Record<string, unknown> = {};
try {
  run(nft, captureRules(plan(), { mark: "ab", endsAfterSeconds: undefined, hasGroup }));
  said["one"] = await call(ONE);
  said["two"] = await call(TWO);
  said["neither"] = await call(PARENT);
  rmdirSync(`${ROOT}/${ONE}`);
  mkdirSync(`${ROOT}/${ONE}`);
  said["restarted"] = await call(ONE);
  said["stale"] = parseTable(run(nft, "-j", "list", "table", "inet", "lateen")).stale;
  run(nft, "add", "element", "inet", "lateen", "owners_15006", `{ "${ONE}" }`);
  said["told"] = await call(ONE);
  said["fresh"] = parseTable(run(nft, "-j", "list", "table", "inet", "lateen")).stale;
} finally {
  for (const path of [ONE, TWO, PARENT]) rmdirSync(`${ROOT}/${path}`);
  for (const server of servers) server.close();
}
process.stdout.write(JSON.stringify(said));

function plan(): CapturePlan {
  const service = { place: { address: "10.0.0.1", port: 80 }, everywhere: true, ipv6: false };
  const owner = (path: string): { kind: "cgroup"; path: string } => ({ kind: "cgroup", path });
  return {
    services: [
      { ...service, workload: "default/one", owner: owner(ONE), outbound: 15_001, inbound: 15_006 },
      { ...service, workload: "default/two", owner: owner(TWO), outbound: 15_300, inbound: 15_301 },
    ],
    runDir: "/run/lateen",
    meshUid: 4_000_000,
    keptPorts: [22],
  };
}

async function listen(port: number): Promise<Server> {
  const server = createServer((socket) => socket.end(String(port))).listen(port, "0.0.0.0");
  await once(server, "listening");
  server.unref();
  return server;
}

/** What answers a process of a control group: the port that it was sent to, or why nothing does. */
async function call(group: string): Promise<string> {
  const { address, port } = CALLED;
  const script = `const s=require("node:net").connect(${port},"${address}");s.on("data",d=>process.stdout.write(d));s.on("error",e=>process.stdout.write(e.code))`;
  const inGroup = `echo $$ > ${ROOT}/${group}/cgroup.procs && exec "$0" -e '${script}'`;
  // Not synchronously: the servers are here.
  const { stdout } = await promisify(execFile)("sh", ["-c", inGroup, process.execPath]);
  return stdout;
}
