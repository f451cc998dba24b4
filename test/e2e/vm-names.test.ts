import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { eventually } from "../harness/eventually.ts";
import { NamespaceShell } from "../harness/namespace-shell.ts";
import { requireTool, skipWithoutNamespaces } from "../harness/tools.ts";
import { type VmHost, VmLab } from "../harness/vm-lab.ts";

const PATIENCE_MS = 30_000;
/** By hand, with what an editor that is put back in order would lose. */
const RESOLV_CONF =
  "# ours\nsearch corp.example\nnameserver  10.77.0.254 \noptions timeout:1 attempts:1\n\n# the end";
const NAMES = [
  "api",
  "api.default",
  "api.mesh",
  "api.default.mesh",
  "api.service.consul",
  "api.default.svc.cluster.local",
  "API.Mesh",
];

/** What an application gets that knows services by their names alone. */
describe("services by their names", { skip: skipWithoutNamespaces(), timeout: 300_000 }, () => {
  let lab: VmLab;
  let apps: NamespaceShell;
  const hosts = new Map<string, VmHost>();
  const at = (name: string): VmHost => hosts.get(name) ?? assert.fail(name);

  const type = async (name: string, ...command: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await at(name).lateen(...command);
    assert.equal(code, 0, `${name}# lateen ${command.join(" ")}: ${stdout}${stderr}`);
    return stdout + stderr;
  };
  const statusOf = async (name: string): Promise<AgentStatus | undefined> => {
    const { stdout } = await at(name).lateen("status", "-o", "json");
    return stdout === "" ? undefined : (JSON.parse(stdout) as AgentStatus);
  };
  const curl = async (name: string, url: string): Promise<string> =>
    (await at(name).run("curl", "-sS", "-m", "5", url)).stdout;
  const reaches = async (name: string, url: string): Promise<string> =>
    await eventually(
      `${name} calls ${url}`,
      async () => {
        const body = await curl(name, url);
        return body.includes('"app":"api"') ? body : undefined;
      },
      PATIENCE_MS,
    );
  const addressOf = async (name: string, host: string): Promise<string> =>
    (await at(name).run("getent", "ahostsv4", host)).stdout.split(/\s/)[0] ?? "";

  before(async () => {
    lab = await VmLab.open();
    for (const name of ["vm1", "vm2", "vm3"]) hosts.set(name, await lab.host(name));
    for (const host of hosts.values())
      writeFileSync(host.path("/etc/resolv.conf"), RESOLV_CONF, { mode: 0o640 });
    apps = new NamespaceShell(at("vm1").network);
    await apps.serve("http", "api", "127.0.0.1", 9090);
    await type("vm1", "init");
    await type("vm1", "service", "add", "api", "--port", "9090", "--protocol", "http");
    for (const [name, dataPlane] of [
      ["vm2", "builtin"],
      ["vm3", `envoy\nenvoy: ${requireTool("envoy")}`],
    ] as const) {
      const token = /lateen join (lateen1\.\S+)/.exec(await type("vm1", "token", "create"))?.[1] ?? "";
      await type(name, "join", "--no-start", token);
      const config = `\ndns:\n  listen: ["127.0.0.1:15053", "127.0.0.1:53"]\ndataPlane: ${dataPlane}\n`;
      appendFileSync(at(name).path("/etc/lateen.d/agent.yaml"), config);
      at(name).start("agent");
      await eventually("the agent runs", async () => (await statusOf(name))?.server.connected, PATIENCE_MS);
      await type(name, "service", "add", "web", "--id", `web-${name}`, "--port", "8080", "--vips");
    }
  });
  after(async () => {
    await apps[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  for (const [name, kind] of [
    ["vm2", "built-in"],
    ["vm3", "Envoy"],
  ] as const) {
    describe(`with the ${kind} data plane`, () => {
      test("a plan changes nothing, and what is done is what was planned", async () => {
        const plan = await type(name, "host", "dns", "--dry-run");
        assert.match(
          plan,
          /^would write \/etc\/resolv\.conf:\n {2}# Written by lateen .*\n {2}nameserver 127\.0\.0\.1\n/,
        );
        assert.equal(readFileSync(at(name).path("/etc/resolv.conf"), "utf8"), RESOLV_CONF);
        await type(name, "host", "dns");
        const status = await at(name).lateen("host", "dns", "--status");
        assert.match(status.stdout, /^hook {7}resolv-conf, \/etc\/resolv\.conf$/m);
        assert.equal((await at(name).lateen("host", "dns")).code, 1, "it is there already");
      });

      test("an application calls a service by each of its names, over mutual TLS, as itself", async () => {
        for (const host of NAMES) {
          const body = await reaches(name, `http://${host}:9090/`);
          assert.match(body, /spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/, host);
        }
        assert.match(await addressOf(name, "api.mesh"), /^127\.240\.\d+\.\d+$/);
        assert.equal(await addressOf(name, "nobody.mesh"), "");
      });

      test("with a route for them the addresses are the mesh's own; without it, those of loopback again", async () => {
        await type(name, "host", "vips");
        const moved = async (prefix: string): Promise<void> => {
          await eventually(
            `at ${prefix}`,
            async () => (await addressOf(name, "api.mesh")).startsWith(prefix),
            PATIENCE_MS,
          );
          await reaches(name, "http://api.mesh:9090/");
        };
        await moved("240.240.");
        await type(name, "host", "vips", "--undo");
        await moved("127.240.");
      });

      test("when the agent is gone that is found; when it is back, with its server away, it knows the names", async () => {
        const agents = at(name)
          .processes()
          .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0agent\0"));
        for (const pid of agents) process.kill(pid, "SIGKILL");
        const check = await at(name).lateen("check");
        assert.match(
          check.stdout,
          /^error {2}host\.dns-hook {2}this host\n {2}this host sends its questions to the agent/m,
        );
        await lab.network.wire(at("vm1").network, "down");
        try {
          at(name).start("agent");
          await eventually("a name", async () => (await addressOf(name, "api.mesh")) !== "", PATIENCE_MS);
        } finally {
          await lab.network.wire(at("vm1").network, "up");
        }
        await reaches(name, "http://api.mesh:9090/");
      });
    });
  }

  test("a program that listens everywhere at a service's port is found, and what worked goes on", async () => {
    await using stranger = new NamespaceShell(at("vm2").network);
    await stranger.serve("tcp", "stranger", "0.0.0.0", 9191);
    await type("vm1", "service", "add", "late", "--port", "9191");
    await eventually(
      "it is found",
      async () =>
        /^error {2}host\.vips-port .*\n.* listens at port 9191 /m.test(
          (await at("vm2").lateen("check")).stdout,
        ),
      PATIENCE_MS,
    );
    await reaches("vm2", "http://api.mesh:9090/");
    await type("vm1", "service", "remove", "late");
  });

  test("an application that reads its environment calls by HTTP through the proxy, and by the address of an upstream", async () => {
    const add = [
      "service",
      "add",
      "job",
      "--port",
      "8081",
      "--http-proxy",
      "15080",
      "--upstream",
      "api@15100",
    ];
    await type("vm2", ...add);
    const env = await type("vm2", "env", "job");
    assert.deepEqual(env.trim().split("\n"), [
      "export http_proxy='http://127.0.0.1:15080'",
      "export HTTP_PROXY='http://127.0.0.1:15080'",
      "export no_proxy='localhost,127.0.0.1,::1'",
      "export NO_PROXY='localhost,127.0.0.1,::1'",
      "export LATEEN_UPSTREAM_ADDR_API='127.0.0.1:15100'",
      "export NOMAD_UPSTREAM_ADDR_api='127.0.0.1:15100'",
    ]);
    for (const url of [
      "http://api:9090/",
      "http://api.default.mesh:9090/",
      "http://$LATEEN_UPSTREAM_ADDR_API/",
    ]) {
      const body = await eventually(
        url,
        async () => {
          const { stdout } = await at("vm2").run("sh", "-c", `${env}\ncurl -sS -m 5 ${url}`);
          return stdout.includes('"app":"api"') ? stdout : undefined;
        },
        PATIENCE_MS,
      );
      assert.match(body, /spiffe:\/\/cluster\.local\/ns\/default\/sa\/job/);
    }
    assert.equal((await at("vm2").lateen("env", "nobody")).code, 64);
  });

  test("undone, resolv.conf is as it was, and leaving undoes it too", async () => {
    const look = (name: string): unknown => [
      readFileSync(at(name).path("/etc/resolv.conf"), "utf8"),
      statSync(at(name).path("/etc/resolv.conf")).mode & 0o777,
    ];
    await type("vm2", "host", "dns", "--undo");
    assert.deepEqual(look("vm2"), [RESOLV_CONF, 0o640]);
    assert.match(await type("vm2", "host", "dns", "--undo"), /nothing is hooked up/);
    assert.match(await type("vm3", "leave"), /put \/etc\/resolv\.conf back as it was/);
    assert.deepEqual(look("vm3"), [RESOLV_CONF, 0o640]);
    assert.deepEqual(
      at("vm3")
        .files()
        .filter((path) => !path.endsWith("/resolv.conf")),
      [],
    );
  });
});
