import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** A service as Consul's agent API takes it: `/v1/agent/service/register`. */
export interface ConsulService {
  readonly ID: string;
  readonly Name: string;
  readonly Address?: string;
  readonly Port?: number;
  readonly Tags?: readonly string[];
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Kind?: string;
  readonly Check?: Readonly<Record<string, unknown>>;
  readonly Weights?: { readonly Passing: number; readonly Warning: number };
  readonly TaggedAddresses?: Readonly<Record<string, { readonly Address: string; readonly Port: number }>>;
  readonly Proxy?: Readonly<Record<string, unknown>>;
}

/** A Consul that was started for a test or the demo, and ends with it. */
export interface RunningConsul extends AsyncDisposable {
  /** `http://127.77.3.4:8500`. */
  readonly address: string;
  readonly node: string;
  register(service: ConsulService): Promise<void>;
  deregister(serviceId: string): Promise<void>;
  /** Any call of its API below `/v1`; throws unless the answer's status is 200. */
  put(path: string, body?: unknown): Promise<void>;
}

const PATIENCE_MS = 20_000;

/**
 * Starts a development Consul (one server, all in memory) on a loopback address of its own, so that it meets no other,
 * and returns when it has a leader and its node is in the catalog. Linux: the whole of 127.0.0.0/8 is loopback.
 * `address` is that of an ended one whose place this one takes, with nothing of its data. `hcl` is configuration beside
 * the usual.
 */
export async function startConsul(
  binary: string,
  signal?: AbortSignal,
  address = `http://127.${randomInt(64, 128)}.${randomInt(1, 255)}.${randomInt(1, 255)}:8500`,
  hcl?: string,
): Promise<RunningConsul> {
  const ip = new URL(address).hostname;
  const node = `lateen-${ip.replaceAll(".", "-")}`;
  // A group of its own: a Ctrl-C at the terminal is for us, who end it in order. It must not outlive us either.
  const more = hcl === undefined ? [] : [`-hcl=${hcl}`];
  const child = spawn(binary, [...consulArguments(ip, node), ...more], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killed = (): void => void child.kill("SIGKILL");
  process.once("exit", killed);
  child.once("exit", () => process.off("exit", killed));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-4_000);
    });
  }
  const ended = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new Error(`start ${binary}: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`${binary} ended with ${code}: ${said.trim()}`)));
  });
  ended.catch(() => undefined);
  try {
    await Promise.race([ended, untilReady(address, node, signal)]);
  } catch (error) {
    await stop(child);
    throw error;
  }
  return {
    address,
    node,
    register: (service) => put(address, "/agent/service/register", service),
    deregister: (serviceId) => put(address, `/agent/service/deregister/${encodeURIComponent(serviceId)}`),
    put: (path, body) => put(address, path, body),
    [Symbol.asyncDispose]: () => stop(child),
  };
}

function consulArguments(ip: string, node: string): readonly string[] {
  const ports = ["-http-port=8500", "-server-port=8300", "-serf-lan-port=8301"];
  const off = ["-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1"];
  const names = [`-node=${node}`, `-bind=${ip}`, `-client=${ip}`];
  return ["agent", "-dev", ...names, ...ports, ...off, "-disable-host-node-id", "-log-level=warn"];
}

async function untilReady(address: string, node: string, signal: AbortSignal | undefined): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    signal?.throwIfAborted();
    const checks = await fetch(`${address}/v1/health/node/${node}`, { signal: AbortSignal.timeout(1_000) })
      .then(async (response) => (response.ok ? ((await response.json()) as readonly unknown[]) : []))
      .catch(() => []);
    if (checks.length > 0) return;
    if (performance.now() > end) throw new Error(`consul at ${address} was not ready in ${PATIENCE_MS} ms`);
    await delay(50, undefined, signal === undefined ? {} : { signal });
  }
}

async function put(address: string, path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${address}/v1${path}`, {
    method: "PUT",
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${text}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 2_000);
  await gone;
  clearTimeout(force);
}
