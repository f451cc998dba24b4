import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { MeshError } from "../../mesh/errors.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { eventually } from "../harness/eventually.ts";
import { isSynced } from "../harness/mesh.ts";
import { destinationRule, versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { bindPortOf } from "../harness/mesh-topology.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

const WRONG = virtualService("reviews", {
  http: [
    { timeout: "soon", route: [{ destination: { host: "reviews" }, weight: -1 }] },
    { match: [{ uri: { regex: "(" } }], route: [{ destination: { subset: "v1" } }] },
  ],
});

describeMesh("bad input", { hosts: HOSTS }, (mesh) => {
  test("invalid YAML stores nothing, and every violation is told with its path", async () => {
    const good = versions("reviews", "v1");
    const { code, stderr } = await mesh().cli(["apply", "-f", "-"], good + WRONG);
    assert.equal(code, 65);
    for (const path of [
      "spec.http[0].timeout",
      "spec.http[0].route[0].weight",
      "spec.http[1].match[0].uri.regex",
      "spec.http[1].route[0].destination.host",
    ]) {
      assert.ok(stderr.includes(path), `${path} is not in\n${stderr}`);
    }
    assert.equal((await mesh().cli(["get", "destinationrule", "reviews"])).code, 1);
    const broken = await mesh().cli(["apply", "-f", "-"], `${good}---\nspec: {[}\n`);
    assert.equal(broken.code, 65);
    assert.equal((await mesh().cli(["get", "destinationrule", "reviews"])).code, 1);
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
  });

  test("a field that the kind does not have is a warning, and an error when strict", async () => {
    const typo = virtualService("reviews", {
      http: [{ timeuot: "1s", route: [{ destination: { host: "reviews" } }] }],
    });
    const strict = await mesh().cli(["apply", "--strict", "-f", "-"], typo);
    assert.equal(strict.code, 65);
    assert.match(strict.stderr, /spec\.http\[0\]\.timeuot .*did you mean .?timeout/);
    assert.equal((await mesh().cli(["get", "virtualservice", "reviews"])).code, 1);
    const lenient = await mesh().cli(["apply", "-f", "-"], typo);
    assert.equal(lenient.code, 0, lenient.stderr);
    assert.match(lenient.stderr, /spec\.http\[0\]\.timeuot .*did you mean .?timeout.*\(warning\)/);
    assert.equal((await mesh().cli(["get", "virtualservice", "reviews"])).code, 0);
  });

  test("what the proxies do otherwise than an object says is told by apply and by analyze", async () => {
    const asks = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: asks }
spec:
  selector: { matchLabels: { app: reviews } }
  action: CUSTOM
  provider: { name: opa }
  rules: [{ to: [{ operation: { paths: [/asked] } }] }]
`;
    const applied = await mesh().cli(["apply", "-f", "-"], asks);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(
      applied.stderr,
      /warning: authorizationpolicy\/asks in default is in force otherwise than it says: provider opa cannot be asked, .* denied/,
    );
    const analyzed = await mesh().cli(["analyze", "-o", "json"]);
    assert.equal(analyzed.code, 0, analyzed.stderr);
    const { items } = JSON.parse(analyzed.stdout) as { items: { code: string; origin: string }[] };
    assert.ok(
      items.some(({ code, origin }) => code === "LAT0013" && origin === "AuthorizationPolicy default/asks"),
      analyzed.stdout,
    );
    assert.equal((await mesh().cli(["delete", "authorizationpolicy/asks"])).code, 0);
  });

  test("a token that is wrong, used, expired or somebody else's is refused, and nothing is told of why", async () => {
    const { log } = mesh().server;
    const used = await mesh().token();
    await joinAs(used, "first");
    const expired = await mesh().token({}, 1000);
    const bound = await mesh().token({ node: "another-host" });
    const wrong = `${used.slice(0, -43)}${"A".repeat(43)}`;
    await delay(1010);
    const before = log.entries.length;
    const told = new Set<string>();
    for (const token of [wrong, used, expired, bound]) {
      const error = await joinAs(token, "intruder").then(
        () => assert.fail("a bad token was taken"),
        (error: unknown) => error,
      );
      assert.ok(error instanceof MeshError);
      assert.equal(error.code, "agent.join");
      assert.ok(
        !`${error.stack}${String(error.cause)}`.includes(token.slice(-43)),
        "the error has the secret",
      );
      told.add(`${error.message} | ${error.hint ?? ""}`);
    }
    assert.equal(told.size, 1, [...told].join("\n"));
    const refusals = log.entries.slice(before).filter(({ message }) => message === "join refused");
    assert.equal(refusals.length, 4);
    assert.equal(new Set(refusals.map(({ fields }) => fields["reason"])).size, 4, "the log tells them apart");
    for (const { fields } of refusals) assert.equal(fields["nodeName"], "intruder");
    for (const token of [used, expired, bound]) {
      assert.ok(!log.text.includes(token.slice(-43)), "the server's log has a secret");
    }
  });

  test("a proxy that refuses a change keeps what it had, and its reason is shown", async () => {
    const tls = {
      mode: "MUTUAL",
      clientCertificate: "/no/such/cert",
      privateKey: "/no/such/key",
      caCertificates: "/no/such/ca",
    };
    const applied = await mesh().cli(
      ["apply", "-f", "-"],
      destinationRule("reviews", { trafficPolicy: { tls } }),
    );
    assert.equal(applied.code, 1, applied.stdout);
    assert.match(
      applied.stderr,
      /default\/caller rejected its new cluster \(from DestinationRule default\/reviews\): .+/,
    );
    const proxy = await mesh().proxy("caller");
    assert.equal(proxy?.types.cluster.state, "REJECTED");
    assert.match(proxy.types.cluster.rejection ?? "", /outbound\|9080\|\|reviews.default.svc.cluster.local/);
    const shown = await mesh().cli(["proxy-status", "caller"]);
    assert.match(`${shown.stdout}${shown.stderr}`, /outbound\|9080\|\|reviews/);
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
    const { lastNack } = await mesh().host("caller").serving();
    assert.match(lastNack?.message ?? "", /outbound\|9080\|\|reviews/);

    await mesh().delete("DestinationRule", "reviews");
    await eventually("SYNCED again", async () => {
      const now = await mesh().proxy("caller");
      return now !== undefined && isSynced(now);
    });
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
  });

  test("a port that is taken is told with its workload and its holder, and used when it is free", async () => {
    const { spec } = mesh().host("caller");
    const port = 9199;
    await using holder = await listen(spec.loopback, port);
    const host = mesh().host("caller");
    await host.writeServices([host.service({ upstreams: ["reviews:9080@9101", `reviews:9080@${port}`] })]);
    const problem = await eventually(
      "the problem",
      async () => (await host.status()).problems.find(({ code }) => code === "agent.port-taken"),
      10_000,
    );
    assert.equal(problem.workload, "default/caller");
    assert.ok(problem.message.includes(`${spec.loopback}:${port}`), problem.message);
    assert.ok(problem.message.includes(`process ${process.pid} (`), problem.message);
    assert.match(
      host.log.text,
      new RegExp(`default/caller.*${spec.loopback}:${port}.*process ${process.pid} `),
    );
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
    await holder.close();
    await eventually(
      "the listener",
      async () => (await host.askProxy("/config_dump")).includes(`${spec.loopback}_${port}`),
      10_000,
    );
    await host.writeServices([host.service()]);
    await eventually("the upstream gone", async () => (await host.serving()).upstreams.length === 1);
  });

  test("a port that somebody takes while the data plane is away is refused with its reason", async () => {
    const host = mesh().host("caller");
    const port = bindPortOf(host.spec, "reviews");
    const { dataPlane } = await host.serving();
    process.kill(dataPlane.pid ?? 0, "SIGKILL");
    const restarted = async (): Promise<number> =>
      (
        await host.workloadStatus(
          "has another data plane",
          ({ dataPlane: { pid } }) => pid !== undefined && pid !== dataPlane.pid,
        )
      ).dataPlane.pid ?? 0;
    {
      await using holder = await eventually("the port in our hands", () =>
        tryListen(host.spec.loopback, port),
      );
      const place = `${host.spec.loopback}:${port}`;
      const { lastNack } = await host.workloadStatus(`has a refusal of ${place}`, (status) =>
        Boolean(status.lastNack?.message.includes(place)),
      );
      assert.match(lastNack?.message ?? "", /in use/);
      await holder.close();
    }
    // Nobody tries again by itself yet: a new process does.
    process.kill(await restarted(), "SIGKILL");
    await eventually(
      "calls again",
      async () => (await mesh().call("caller", "reviews")).status === 200,
      15_000,
    );
  });
});

async function joinAs(token: string, nodeName: string): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), "lateen-e2e-join-"));
  try {
    await joinMesh(invitationOf(token), {
      nodeName,
      stateDir,
      agentVersion: "0",
      clock: systemClock,
      logger: silentLogger,
      signal: AbortSignal.timeout(10_000),
    });
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}

interface Holder extends AsyncDisposable {
  close(): Promise<void>;
}

async function listen(address: string, port: number): Promise<Holder> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, address);
  await once(server, "listening");
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    await closed;
  };
  return { close, [Symbol.asyncDispose]: close };
}

async function tryListen(address: string, port: number): Promise<Holder | undefined> {
  return listen(address, port).catch(() => undefined);
}
