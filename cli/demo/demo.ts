import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { findTool } from "../../setup/find-tool.ts";
import { EXIT } from "../exit-codes.ts";
import { freeAddressBlock } from "./address-block.ts";
import { consulCatalog } from "./catalog.ts";
import { consulForDemo } from "./consul.ts";
import type { DemoMesh } from "./demo-mesh.ts";
import { DemoProcesses } from "./demo-processes.ts";
import { PROOFS } from "./proofs.ts";
import { startDemo } from "./start-demo.ts";
import { layOut, SERVICE_PORT } from "./topology.ts";
import { pause } from "./traffic.ts";

export interface DemoCommand {
  /** Prove the mesh and exit, instead of leaving it up. */
  readonly check: boolean;
  readonly consul: boolean;
  readonly proxy: "builtin" | "envoy";
  /** Keeps state and logs there instead of in a folder that vanishes. */
  readonly keep: string | undefined;
  /** Requests a second of background traffic; 0: none. */
  readonly rate: number;
}

type Print = (line: string) => void;

/** On a terminal, what is awaited is told in place and then written over. */
const CLEAR_LINE = process.stdout.isTTY ? "\r\u001b[2K" : "";

/** `lateen demo`: a whole mesh with bookinfo on this machine. Returns the exit status. */
export async function runDemo(command: DemoCommand, print: Print, signal: AbortSignal): Promise<number> {
  const envoy = command.proxy === "envoy" ? requireEnvoy() : undefined;
  const block = await freeAddressBlock({ random: command.check });
  const directory = await demoDirectory(command.keep);
  const topology = layOut(block);
  const started = performance.now();
  const report = (part: string, detail: string): void => print(`${CLEAR_LINE}√ ${part.padEnd(24)}${detail}`);
  const progress = (state: string): void =>
    void (CLEAR_LINE && process.stdout.write(`${CLEAR_LINE}… ${state}`));
  try {
    await using found = command.consul
      ? await consulForDemo(topology, { ownOnly: command.check, signal })
      : undefined;
    const processes = new DemoProcesses(directory, signal);
    // Before the processes, so that it is there until they have ended.
    using _ = onHurriedExit(() => {
      processes.killAll();
      if (command.keep === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    });
    await using running = processes;
    const consul = found && { address: found.address, catalog: consulCatalog(found.address) };
    const options = {
      topology,
      dataPlane: command.proxy,
      envoy,
      consul,
      processes: running,
      report,
      progress,
    };
    await using mesh = await startDemo(options);
    report("ready", `after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    if (command.check) return await prove(mesh, print, signal);
    await stayUp(mesh, command, directory, print, signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return command.check ? EXIT.interrupted : EXIT.ok;
    throw error;
  } finally {
    if (command.keep === undefined) await rm(directory, { recursive: true, force: true });
    else print(`logs and state are in ${directory}`);
  }
}

function requireEnvoy(): string {
  const envoy = findTool("envoy");
  if (envoy !== undefined) return envoy;
  throw new MeshError("agent.dataplane", "start the demo with Envoy: there is no envoy binary", {
    hint: "run make tools, or set LATEEN_ENVOY to the path of one, or leave --proxy envoy out",
  });
}

async function demoDirectory(keep: string | undefined): Promise<string> {
  if (keep === undefined) return mkdtemp(join(tmpdir(), "lateen-demo-"));
  await mkdir(keep, { recursive: true, mode: 0o700 });
  if ((await readdir(keep)).length > 0) {
    throw new MeshError("config.exists", `the demo begins with nothing, and ${keep} is not empty`, {
      hint: "name another directory, or remove what is there",
    });
  }
  return resolve(keep);
}

/** One line per proof; all are tried, and one that fails makes the exit status 1. */
async function prove(mesh: DemoMesh, print: Print, signal: AbortSignal): Promise<number> {
  print("");
  let failed = 0;
  for (const proof of PROOFS) {
    try {
      const seen = await proof.run(mesh, signal);
      if (signal.aborted) break;
      print(`√ ${proof.name.padEnd(34)}${seen}`);
    } catch (error) {
      if (signal.aborted) break;
      failed += 1;
      print(`× ${proof.name.padEnd(34)}${messageOf(error)}`);
    }
  }
  if (signal.aborted) return EXIT.interrupted;
  print(
    failed === 0 ? `\nall ${PROOFS.length} proofs hold` : `\n${failed} of ${PROOFS.length} proofs failed`,
  );
  return failed === 0 ? EXIT.ok : EXIT.negative;
}

/** Runs `tidy` when the program ends before this is disposed of: a second Ctrl-C, or an output that has closed. */
function onHurriedExit(tidy: () => void): Disposable {
  process.once("exit", tidy);
  return { [Symbol.dispose]: () => process.off("exit", tidy) };
}

async function stayUp(
  mesh: DemoMesh,
  command: DemoCommand,
  directory: string,
  print: Print,
  signal: AbortSignal,
): Promise<void> {
  const socket = join(directory, "run/admin.sock");
  const policies = "examples/bookinfo/networking";
  print(`
App  http://${mesh.host("productpage-v1").address}:${SERVICE_PORT}/productpage      (sign in as jason)

Try, in another terminal:
  export LATEEN_ADDR=unix://${socket}
  ./lateen proxy-status
  ./lateen apply -f ${policies}/destination-rule-all.yaml
  ./lateen apply -f ${policies}/virtual-service-reviews-80-20.yaml      (one of five pages has stars)
  ./lateen apply -f ${policies}/virtual-service-reviews-test-v2.yaml    (stars for jason alone)
  ./lateen apply -f ${policies}/authorization-policy-ratings.yaml       (only reviews may call ratings)
  ./lateen proxy-config route productpage-v1

Ctrl-C stops everything and leaves nothing behind.`);
  if (command.rate === 0) {
    await pause(2 ** 31 - 1, signal);
    return;
  }
  let answered = 0;
  let failed = 0;
  const count = (status: number): void => {
    if (status === 200) answered += 1;
    else failed += 1;
  };
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const traffic = mesh.browser.browse("/productpage", command.rate, (reply) => count(reply.status), ending);
  const live = process.stdout.isTTY;
  while (!signal.aborted) {
    await pause(1000, signal);
    if (live) process.stdout.write(`\rtraffic  ${command.rate}/s   ${answered} answered   ${failed} failed `);
  }
  stop.abort();
  await traffic;
  print(`${live ? "\n" : ""}stopping …`);
}
