/**
 * Runs in a network namespace of a test, as root: keeps one captured connection open while capture is applied anew, ends
 * and is removed, and says on stdout as JSON what its caller was answered each time. No other table redirects anything.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CapturePlan } from "../../agent/capture/capture-plan.ts";
import { HostCapture } from "../../agent/capture/host-capture.ts";
import { KeptCapture } from "../../agent/capture/kept-capture.ts";
import { nftProgram } from "../../agent/capture/nft.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";

const [, , nft = "nft"] = process.argv;
const CALLER = 23_003;
const plan: CapturePlan = {
  services: [
    {
      workload: "default/a",
      owner: { kind: "uid", uid: CALLER },
      outbound: 15_001,
      inbound: 15_006,
      place: { address: "10.0.0.1", port: 80 },
      everywhere: true,
      ipv6: true,
    },
  ],
  runDir: "/run/lateen",
  meshUid: 0,
  keptPorts: [22],
};
/** Says each line that it is told to an address of the mesh's, and what the answer is. */
const CALLS = `const s = require("node:net").connect(80, "240.240.0.9");
s.pipe(process.stdout); s.on("error", (e) => { console.log(e.code); process.exit(); }); process.stdin.pipe(s);`;

for (const line of ["link set lo up", "route add local 240.240.0.0/16 dev lo"])
  execFileSync("ip", line.split(" "));
const folder = mkdtempSync(join(tmpdir(), "lateen-capture-"));
const kept = new KeptCapture({ runDir: join(folder, "run"), stateDir: join(folder, "state") });
const { signal } = new AbortController();
const capture = new HostCapture({ nft: nftProgram(nft), kept, clock: systemClock, signal });
for (const port of [15_001, 15_006]) {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(port, "::");
  await once(server, "listening");
}

await capture.apply(plan, undefined);
const caller = spawn(process.execPath, ["-e", CALLS], {
  uid: CALLER,
  gid: CALLER,
  stdio: ["pipe", "pipe", "inherit"],
});
const answers = createInterface({ input: caller.stdout })[Symbol.asyncIterator]();
const ask = async (question: string): Promise<string> => {
  caller.stdin.write(`${question}\n`);
  return String((await answers.next()).value);
};
const said = [await ask("captured")];
await capture.apply(plan, 60);
said.push(await ask("applied anew"));
await capture.rest();
said.push(await ask("resting"));
const left = await capture.remove(0);
const rules = execFileSync(nft, ["list", "ruleset"], { encoding: "utf8" });
caller.kill();
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify({ said, left: left > 0, rules }));
process.exit();
