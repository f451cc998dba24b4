import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials, status } from "@grpc/grpc-js";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { VERSION } from "../../mesh/version.ts";
import type { HealthCheckRequest, HealthCheckResponse } from "../../mesh/xds/gen/grpc/health/v1/health.ts";
import { port as workloadPort } from "../../test/fakes/sample-mesh.ts";
import { mintRoot } from "../../test/harness/test-certificates.ts";
import { healthCheck } from "./grpc-check.ts";
import type { Outcome } from "./outcome.ts";
import { runCheck } from "./run-check.ts";

type Check = ReadinessProbe["check"];
const OPTIONS = { loopback: "127.0.0.1", environment: { PATH: process.env["PATH"] ?? "", MARK: "seen" } };

function ask(check: Check, timeoutMs = 1000, signal = new AbortController().signal): Promise<Outcome> {
  const probe = {
    initialDelayMs: 0,
    periodMs: 1000,
    timeoutMs,
    successThreshold: 1,
    failureThreshold: 1,
    check,
  };
  return runCheck(probe, { ports: [], interception: "none" }, OPTIONS, signal);
}

const http = (port: number, over: Partial<Extract<Check, { kind: "http" }>> = {}): Check => ({
  kind: "http",
  path: "/",
  port,
  host: "",
  scheme: "HTTP",
  headers: [],
  ...over,
});

interface Serving extends AsyncDisposable {
  readonly port: number;
}

async function serving(server: Server): Promise<Serving> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const answering = (listener: RequestListener): Promise<Serving> => serving(createHttpServer(listener));

for (const [status, ok] of [
  [200, true],
  [204, true],
  [302, true],
  [399, true],
  [400, false],
  [503, false],
] as const) {
  test(`an answer of ${status} is ${ok ? "ready" : "not ready"}`, async () => {
    await using app = await answering((_, response) => response.writeHead(status, { location: "/x" }).end());
    assert.deepEqual(await ask(http(app.port)), ok ? { ok } : { ok, reason: `it answered ${status}` });
  });
}

test("a probe's path, host and headers are sent as they are written", async () => {
  const seen: IncomingMessage[] = [];
  await using app = await answering((request, response) => {
    seen.push(request);
    response.end();
  });
  await ask(http(app.port, { path: "/ready?deep=1" }));
  const headers = [
    { name: "Host", value: "shop.example" },
    { name: "X-A", value: "1" },
    { name: "x-a", value: "2" },
  ];
  await ask(http(app.port, { host: "127.0.0.1", headers }));
  const [plain, own] = seen;
  assert.equal(plain?.url, "/ready?deep=1");
  assert.equal(plain?.headers["user-agent"], `lateen-probe/${VERSION}`);
  assert.equal(plain?.headers.host, `127.0.0.1:${app.port}`);
  assert.deepEqual([own?.headers.host, own?.headers["x-a"]], ["shop.example", "1, 2"]);
});

test("HTTPS is asked whatever its certificate is", async () => {
  const { pem, keyPem } = mintRoot();
  await using app = await serving(
    createHttpsServer({ cert: pem, key: keyPem }, (_, response) => response.end()),
  );
  assert.deepEqual(await ask(http(app.port, { scheme: "HTTPS" })), { ok: true });
  assert.equal((await ask(http(app.port))).ok, false);
});

test("a body without an end is not waited for, nor is one that follows an error", async () => {
  await using app = await answering(({ url }, response) => {
    response.writeHead(url === "/bad" ? 500 : 200).write("x".repeat(1 << 20));
  });
  const began = performance.now();
  assert.equal((await ask(http(app.port), 5000)).ok, true);
  assert.equal((await ask(http(app.port, { path: "/bad" }), 5000)).ok, false);
  assert.ok(performance.now() - began < 2000);
});

test("who does not answer in time is not ready", async () => {
  await using app = await answering(() => undefined);
  await using silent = await serving(createTcpServer(() => undefined));
  const late = { ok: false, reason: "no answer within 100 ms" };
  for (const check of [
    http(app.port),
    http(silent.port, { scheme: "HTTPS" }),
    { kind: "grpc", port: silent.port, service: "" },
    { kind: "exec", command: ["sleep", "10"] },
  ] as const) {
    assert.deepEqual(await ask(check, 100), late, check.kind);
  }
});

test("what cannot be asked is not ready, and the reason says why", async () => {
  const gone = await serving(createTcpServer(() => undefined));
  await gone[Symbol.asyncDispose]();
  await using rude = await serving(createTcpServer((socket) => socket.end("hello\r\n\r\n")));
  for (const [check, reason] of [
    [http(gone.port), /ECONNREFUSED/],
    [{ kind: "tcp", host: "", port: gone.port }, /ECONNREFUSED/],
    [{ kind: "grpc", port: gone.port, service: "" }, /ECONNREFUSED/],
    [http(rude.port), /Parse Error/],
    [http(gone.port, { path: "/a b" }), /unescaped/],
    [http(gone.port, { headers: [{ name: "a", value: "b\nc" }] }), /invalid/i],
    [{ kind: "tcp", host: "no.such.host.invalid", port: 80 }, /ENOTFOUND|EAI_AGAIN/],
    [{ kind: "exec", command: ["/no/such/program"] }, /ENOENT/],
    [{ kind: "exec", command: ["a\0b"] }, /null bytes/],
    [{ kind: "exec", command: [""] }, /argument/],
  ] as const) {
    const outcome = await ask(check, 3000);
    assert.match(outcome.ok ? "ready" : outcome.reason, reason, JSON.stringify(check));
  }
});

test("a stop ends a question at once", async () => {
  await using app = await answering(() => undefined);
  const stop = new AbortController();
  const began = performance.now();
  const asked = [http(app.port), { kind: "exec", command: ["sleep", "10"] } as const].map((check) =>
    ask(check, 20_000, stop.signal),
  );
  setTimeout(() => stop.abort(), 50);
  for (const outcome of await Promise.all(asked)) assert.equal(outcome.ok, false);
  assert.ok(performance.now() - began < 5000);
});

test("a TCP server is ready when it takes a connection", async () => {
  await using app = await serving(createTcpServer(() => undefined));
  assert.deepEqual(await ask({ kind: "tcp", host: "", port: app.port }), { ok: true });
});

test("of gRPC servers only one that says SERVING of the service is ready", async () => {
  const server = new GrpcServer();
  const check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = ({ request }, answer) => {
    const { service } = request;
    if (service === "unknown") answer({ code: status.NOT_FOUND, details: "unknown service" });
    else answer(null, { status: service === "sick" ? 2 : 1 });
  };
  server.addService({ check: healthCheck }, { check });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  try {
    const grpc = (service: string): Promise<Outcome> => ask({ kind: "grpc", port, service });
    assert.deepEqual(await grpc(""), { ok: true });
    assert.deepEqual(await grpc("sick"), { ok: false, reason: "it says NOT_SERVING" });
    assert.deepEqual(await grpc("unknown"), { ok: false, reason: "unknown service" });
  } finally {
    server.forceShutdown();
  }
  await using plain = await answering((_, response) => response.end());
  assert.equal((await ask({ kind: "grpc", port: plain.port, service: "" })).ok, false);
});

test("a command is ready when it ends with 0; the beginning of its complaint is told", async () => {
  const exec = (...command: string[]): Promise<Outcome> => ask({ kind: "exec", command }, 5000);
  assert.deepEqual(await exec("true"), { ok: true });
  assert.deepEqual(await exec("false"), { ok: false, reason: "it ended with 1" });
  assert.deepEqual(await exec("sh", "-c", "echo no\tdisk >&2; exit 3"), {
    ok: false,
    reason: "it ended with 3: no disk",
  });
  assert.deepEqual(await exec("sh", "-c", "kill -9 $$"), { ok: false, reason: "it ended with SIGKILL" });
  assert.deepEqual(await exec("sh", "-c", 'test "$MARK$HOME" = seen'), { ok: true }, "a small environment");
  assert.deepEqual(await exec("test", "$(id -u)", "=", "$(id -u)"), { ok: true });
});

test("no shell reads a command", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-probe-"));
  try {
    const mark = join(folder, "mark");
    await ask({ kind: "exec", command: ["true", ";", "touch", mark] });
    await ask({ kind: "exec", command: [`true; touch ${mark}`] });
    await assert.rejects(access(mark));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a command that writes without an end is bounded, and what it started ends with it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-probe-"));
  try {
    const flood = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    const before = process.memoryUsage.rss();
    const loud = await ask({ kind: "exec", command: ["sh", "-c", `${flood} >&2`] }, 500);
    assert.deepEqual(loud, { ok: false, reason: "no answer within 500 ms" });
    assert.equal((await ask({ kind: "exec", command: ["sh", "-c", flood] }, 500)).ok, false);
    assert.ok(process.memoryUsage.rss() - before < 100 << 20);
    const alive = join(folder, "alive");
    const child = `(while :; do touch ${alive}; sleep 0.02; done) & `;
    for (const [script, ok] of [
      [`${child} sleep 10`, false],
      [`${child} sleep 0.1; exit 0`, true],
    ] as const) {
      assert.equal((await ask({ kind: "exec", command: ["sh", "-c", script] }, 500)).ok, ok);
      await delay(100);
      await rm(alive, { force: true });
      await delay(150);
      await assert.rejects(access(alive), "its child is gone");
    }
    await writeFile(alive, "");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an application is asked where its port is registered, and never at its proxy", async () => {
  await using app = await answering((_, response) => response.end());
  const probe = {
    initialDelayMs: 0,
    periodMs: 1000,
    timeoutMs: 1000,
    successThreshold: 1,
    failureThreshold: 1,
  };
  const ports = [workloadPort({ servicePort: 80, app: { address: "127.0.0.1", port: app.port } })];
  for (const interception of ["none", "redirect"] as const) {
    for (const port of [80, app.port]) {
      const check = http(port);
      const outcome = await runCheck(
        { ...probe, check },
        { ports, interception },
        OPTIONS,
        new AbortController().signal,
      );
      assert.deepEqual(outcome, { ok: true }, `${port} ${interception}`);
    }
  }
});
