import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { runServer } from "../../controlplane/app.ts";
import { loadServerConfig, type ServerConfig } from "../../controlplane/config.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { virtualService } from "../harness/mesh-policies.ts";
import { type CliResult, runCli } from "../harness/run-cli.ts";
import { freePort } from "../harness/test-proxy.ts";

interface Door {
  readonly directory: string;
  /** A command on the server's own host, through its socket. */
  readonly local: (...argv: string[]) => Promise<CliResult>;
  /** A command elsewhere, with a token and the mesh's root. */
  readonly remote: (token: string, ...argv: string[]) => Promise<CliResult>;
  readonly stop: () => Promise<void>;
}

function configFor(directory: string, port: number): ServerConfig {
  return loadServerConfig({
    environment: {},
    flags: {
      stateDir: join(directory, "state"),
      runDir: join(directory, "run"),
      agents: { address: "127.0.0.1", port: 0 },
      // Not loopback: TLS, with the server's own certificate.
      admin: { address: "0.0.0.0", port, hosts: ["127.0.0.1"] },
      health: { port: 0 },
    },
  });
}

/** A whole server whose admin API is open to the network. */
async function openDoor(t: TestContext): Promise<Door> {
  const directory = mkdtempSync(join(tmpdir(), "lateen-door-"));
  const port = await freePort();
  const stopping = new AbortController();
  const ready = Promise.withResolvers<void>();
  const running = runServer(configFor(directory, port), {
    logger: silentLogger,
    clock: systemClock,
    signal: stopping.signal,
    onReady: () => ready.resolve(),
  });
  running.catch(ready.reject);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  t.after(async () => {
    await stop();
    rmSync(directory, { recursive: true });
  });
  await ready.promise;
  const socket = join(directory, "run", "admin.sock");
  const local = (...argv: string[]): Promise<CliResult> =>
    runCli(argv, { environment: { LATEEN_ADDR: `unix://${socket}` } });
  const roots = join(directory, "roots.pem");
  writeFileSync(roots, (await local("ca", "root")).stdout);
  return {
    directory,
    stop,
    local,
    remote: (token, ...argv) =>
      runCli(argv, {
        environment: {
          LATEEN_ADDR: `https://127.0.0.1:${port}`,
          LATEEN_TOKEN: token,
          LATEEN_CACERT: roots,
        },
      }),
  };
}

test("an editor of one namespace works from another host, and the log tells what it did", async (t) => {
  const { directory, local, remote, stop } = await openDoor(t);
  const made = await local(
    "access",
    "create",
    "ci",
    "--role",
    "editor",
    "--namespaces",
    "default",
    "-o",
    "name",
  );
  const token = made.stdout.trim();
  const files = { own: join(directory, "own.yaml"), other: join(directory, "other.yaml") };
  writeFileSync(files.own, virtualService("reviews", { http: [{ directResponse: { status: 200 } }] }));
  writeFileSync(
    files.other,
    virtualService("reviews", { http: [{ directResponse: { status: 200 } }] }).replace(
      "name: reviews",
      "name: reviews\n  namespace: istio-system",
    ),
  );
  const applied = await remote(token, "apply", "-f", files.own);
  assert.equal(applied.code, 0, applied.stderr);
  const elsewhere = await remote(token, "apply", "-f", files.other);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.stderr, /ci has its role in default, and this concerns the namespace istio-system/);
  assert.match(
    (await remote(token, "token", "create")).stderr,
    /role editor, which may not write join-tokens/,
  );
  assert.match((await remote("wrong", "get", "services")).stderr, /needs a credential/);
  assert.equal((await local("access", "revoke", token.split(".")[1] ?? "")).code, 0);
  assert.match((await remote(token, "get", "services")).stderr, /needs a credential/);

  const log = await local("audit", "list", "-o", "json");
  const { records } = JSON.parse(log.stdout) as {
    records: { actor: string; action: string; outcome: string; from?: string }[];
  };
  assert.deepEqual(
    records.map(({ actor, action, outcome, from }) => [actor, action, outcome, from]),
    [
      ["socket:socket", "POST /v1/access-tokens", "attempted", undefined],
      ["socket:socket", "POST /v1/access-tokens", "done", undefined],
      ["access-token:ci", "POST /v1/apply", "attempted", "127.0.0.1"],
      ["access-token:ci", "POST /v1/apply", "done", "127.0.0.1"],
      ["access-token:ci", "POST /v1/apply", "attempted", "127.0.0.1"],
      ["access-token:ci", "POST /v1/apply", "refused", "127.0.0.1"],
      ["access-token:ci", "POST /v1/tokens", "refused", "127.0.0.1"],
      ["socket:socket", "DELETE /v1/access-tokens", "attempted", undefined],
      ["socket:socket", "DELETE /v1/access-tokens", "done", undefined],
    ],
  );
  assert.doesNotMatch(log.stdout, new RegExp(token.split(".")[2] ?? "?"));
  const [, head = ""] = /head (\S+)\n/.exec((await local("audit", "list")).stderr) ?? [];
  await stop();
  const audit = join(directory, "state", "audit");
  const verified = await runCli(["audit", "verify", "--dir", audit, "--expect", head]);
  assert.equal(verified.code, 0, verified.stderr);
});

test("a server does not start on state that others may read, and says what to do", async (t) => {
  const { directory, stop } = await openDoor(t);
  await stop();
  const config = configFor(directory, 0);
  const start = (): Promise<void> =>
    runServer(config, { logger: silentLogger, clock: systemClock, signal: AbortSignal.timeout(5_000) });
  for (const [path, mode, safe] of [
    [join("state"), 0o755, 0o700],
    [keyIn(join(directory, "state", "ca")), 0o640, 0o600],
    [join("state", "admin.token"), 0o644, 0o600],
    [join("state", "audit"), 0o750, 0o700],
    [join("state", "lateen.db"), 0o604, 0o600],
    [join("run"), 0o755, 0o700],
  ] as const) {
    chmodSync(resolve(directory, path), mode);
    await assert.rejects(start(), { code: "config.invalid" }, path);
    chmodSync(resolve(directory, path), safe);
  }
});

function keyIn(directory: string): string {
  const [name] = readdirSync(directory).filter((one) => one.endsWith(".key"));
  if (name === undefined) throw new Error(`there is no key in ${directory}`);
  return join(directory, name);
}
