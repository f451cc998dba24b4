import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A Nomad that was started for a test, and ends with it and with all that it runs. */
export interface RunningNomad extends AsyncDisposable {
  /** `http://127.77.3.4:4646`. */
  readonly address: string;
  readonly nodeId: string;
  /** What its log says. */
  readonly said: () => string;
  /** Any GET of its API below `/v1`; undefined: 404. */
  get<T>(path: string): Promise<T | undefined>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Runs a job, in the form of Nomad's JSON API. */
  run(job: Readonly<Record<string, unknown>>): Promise<void>;
  /** Stops a job, and forgets it. */
  stop(jobId: string): Promise<void>;
}

interface Api {
  readonly address: string;
  readonly token: string | undefined;
}

const PATIENCE_MS = 60_000;

/** Tokens may end after a second. */
const ACL = `
acl {
  enabled = true
  token_min_expiration_ttl = "1s"
}`;

/**
 * Starts a server and client in one on a loopback address of its own, where jobs get ports of loopback and run as plain
 * processes (`raw_exec`), and returns when its node is ready. Needs root, as every Nomad client does.
 */
export async function startNomad(binary: string, { acl = false } = {}): Promise<RunningNomad> {
  const ip = `127.${randomInt(64, 128)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const address = `http://${ip}:4646`;
  const folder = await mkdtemp(join(tmpdir(), "lateen-nomad-"));
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "nomad.hcl"), configuration(ip, join(folder, "data"), acl ? ACL : ""));
  const child = spawn(binary, ["agent", "-config", join(folder, "nomad.hcl")], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killed = (): void => void child.kill("SIGKILL");
  process.once("exit", killed);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-16_000);
    });
  }
  const ended = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new Error(`start ${binary}: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`${binary} ended with ${code}: ${said.trim()}`)));
  });
  ended.catch(() => undefined);
  const end = async (): Promise<void> => {
    await stop(child);
    process.off("exit", killed);
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const token = acl ? await Promise.race([ended, bootstrap(address)]) : undefined;
    const api: Api = { address, token };
    const nodeId = await Promise.race([ended, untilReady(api)]);
    return {
      address,
      nodeId,
      said: () => said,
      get: (path) => get(api, path),
      post: (path, body) => send(api, "POST", path, body),
      run: async (job) => void (await send(api, "POST", "/jobs", { Job: job })),
      stop: async (id) => void (await send(api, "DELETE", `/job/${encodeURIComponent(id)}?purge=true`)),
      [Symbol.asyncDispose]: async () => {
        await stopJobs(api).catch(() => undefined);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function configuration(ip: string, data: string, more: string): string {
  return `
data_dir = "${data}"
bind_addr = "${ip}"
advertise {
  http = "${ip}"
  rpc = "${ip}"
  serf = "${ip}"
}
log_level = "WARN"
disable_update_check = true
leave_on_terminate = true
server {
  enabled = true
  bootstrap_expect = 1
}
client {
  enabled = true
  network_interface = "lo"
  drain_on_shutdown { deadline = "5s" }
  reserved { reserved_ports = "21000-21255" }
  options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault" }
}
plugin "raw_exec" {
  config { enabled = true }
}
${more}`;
}

/** The first token, which may do everything. */
async function bootstrap(address: string): Promise<string> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const { SecretID } = await send<{ readonly SecretID: string }>(
        { address, token: undefined },
        "POST",
        "/acl/bootstrap",
      );
      return SecretID;
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(200);
    }
  }
}

function headersOf(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { "x-nomad-token": token };
}

async function untilReady(api: Api): Promise<string> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const nodes = await get<readonly { readonly ID: string; readonly Status: string }[]>(api, "/nodes").catch(
      () => [],
    );
    const ready = nodes?.find(({ Status }) => Status === "ready");
    if (ready !== undefined) return ready.ID;
    if (performance.now() > end)
      throw new Error(`nomad at ${api.address} was not ready in ${PATIENCE_MS} ms`);
    await delay(100);
  }
}

/** Its tasks would outlive it. */
async function stopJobs(api: Api): Promise<void> {
  for (const { ID } of (await get<readonly { readonly ID: string }[]>(api, "/jobs")) ?? [])
    await send(api, "DELETE", `/job/${encodeURIComponent(ID)}`);
  const end = performance.now() + 20_000;
  while (performance.now() < end) {
    const left = await get<readonly { readonly ClientStatus: string }[]>(api, "/allocations");
    if (left?.every(({ ClientStatus }) => !["running", "pending"].includes(ClientStatus)) !== false) return;
    await delay(100);
  }
}

/** Nomad leaves the memory file systems of secrets mounted when it ends. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).toReversed())
    await promisify(execFile)("umount", [mount]);
}

async function get<T>({ address, token }: Api, path: string): Promise<T | undefined> {
  const response = await fetch(`${address}/v1${path}`, {
    headers: headersOf(token),
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

async function send<T>({ address, token }: Api, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${address}/v1${path}`, {
    method,
    headers: headersOf(token),
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await gone;
  clearTimeout(force);
}
