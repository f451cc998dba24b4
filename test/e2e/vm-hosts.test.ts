import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { eventually } from "../harness/eventually.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { NamespaceShell } from "../harness/namespace-shell.ts";
import { PacketCapture } from "../harness/packet-capture.ts";
import { skipWithoutNamespaces } from "../harness/tools.ts";
import { type VmHost, VmLab } from "../harness/vm-lab.ts";

const NAMES = ["vm1", "vm2", "vm3", "vm4"] as const;
/** The first port of loopback that `service add` gives to an upstream. */
const API = "http://127.0.0.1:15100";
/** A busy machine starts a program in seconds. */
const STARTS_MS = 20_000;

interface Machine {
  readonly host: VmHost;
  readonly apps: NamespaceShell;
}

/** One story on four hosts, told by what their operators type. */
describe("hosts of their own", { skip: skipWithoutNamespaces(), timeout: 180_000 }, () => {
  let lab: VmLab;
  const machines = new Map<string, Machine>();
  const at = (name: (typeof NAMES)[number]): Machine => machines.get(name) ?? assert.fail(`no ${name}`);

  const type = async (name: (typeof NAMES)[number], ...command: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await at(name).host.lateen(...command);
    assert.equal(code, 0, `${name}# lateen ${command[0]}: ${stdout}${stderr}`);
    return stdout + stderr;
  };
  const joinLine = async (): Promise<string> => tokenIn(await type("vm1", "token", "create"));
  const calls = (name: (typeof NAMES)[number], path = "/"): Promise<Reply> => at(name).apps.http(API, path);
  const reaches = async (name: (typeof NAMES)[number], withinMs = STARTS_MS): Promise<Reply> =>
    await eventually(
      `${name} calls api`,
      async () => {
        const reply = await calls(name).catch(() => undefined);
        return reply?.status === 200 ? reply : undefined;
      },
      withinMs,
    );
  const statusOf = async (name: (typeof NAMES)[number]): Promise<AgentStatus> =>
    JSON.parse((await at(name).host.lateen("status", "-o", "json")).stdout) as AgentStatus;

  before(async () => {
    lab = await VmLab.open();
    for (const name of NAMES) {
      const host = await lab.host(name);
      machines.set(name, { host, apps: new NamespaceShell(host.network) });
    }
  });
  after(async () => {
    await Promise.all([...machines.values()].map(({ apps }) => apps[Symbol.asyncDispose]()));
    await lab[Symbol.asyncDispose]();
  });

  test("two hosts have mutual TLS after five commands, and nobody on the wire reads what they say", async (t) => {
    await using wire = await PacketCapture.on(lab.network.hub);
    await at("vm2").apps.serve("http", "api", "127.0.0.1", 9090);

    const token = tokenIn(await type("vm1", "init"));
    const begin = performance.now();
    await type("vm2", "join", token);
    const joined = performance.now();
    await type("vm2", "service", "add", "api", "--port", "9090", "--protocol", "http");
    await type("vm1", "service", "add", "web", "--port", "8080", "--upstream", "api");
    const reply = await reaches("vm1");
    t.diagnostic(
      `join took ${seconds(joined - begin)}, and the first mTLS call came ${seconds(performance.now() - begin)} after its start`,
    );

    assert.equal(reply.echo?.app, "api");
    assert.match(
      String(reply.echo.headers["x-forwarded-client-cert"]),
      /spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/,
    );
    await calls("vm1", "/said-behind-tls");
    // The same wire, without the mesh: what can be heard is heard.
    await at("vm2").apps.serve("http", "plain", at("vm2").host.address, 7000);
    await at("vm1").apps.http(`http://${at("vm2").host.address}:7000`, "/said-in-the-open");
    await eventually(
      "the open call is heard",
      async () => (await wire.lookFor("said-in-the-open")).found > 0,
    );
    assert.equal((await wire.lookFor("said-behind-tls")).found, 0);
    assert.deepEqual(
      [at("vm1").host, at("vm2").host]
        .flatMap((host) => host.files().filter((path) => /\.ya?ml$/.test(path)))
        .toSorted(),
      [
        "/etc/lateen.d/agent.yaml",
        "/etc/lateen.d/agent.yaml",
        "/etc/lateen.d/server.yaml",
        "/etc/lateen.d/services.d/api.yaml",
        "/etc/lateen.d/services.d/web.yaml",
      ],
    );
  });

  test("the token comes by standard input's other ways, too, and is nowhere afterwards", async (t) => {
    const token = await joinLine();
    writeFileSync(at("vm3").host.path("/run/token"), `${token}\n`);
    const begin = performance.now();
    await type("vm3", "join", "file:/run/token");
    await type("vm3", "service", "add", "caller", "--port", "8080", "--upstream", "api");
    await reaches("vm3");
    t.diagnostic(
      `from join to the first mTLS call of a further host: ${seconds(performance.now() - begin)} (goal: 5 s)`,
    );
    rmSync(at("vm3").host.path("/run/token"));

    const line = await joinLine();
    assert.match(await type("vm4", "check", "--pre", line), /^nothing is wrong with this host$/m);
    const [head, where, pin = "", ...rest] = line.split(".");
    const foreign = [head, where, `${pin.startsWith("A") ? "B" : "A"}${pin.slice(1)}`, ...rest].join(".");
    const pre = await at("vm4").host.lateen("check", "--pre", foreign);
    assert.equal(pre.code, 1, pre.stdout);
    assert.match(
      pre.stdout,
      /^error {2}host\.wrong-authority {2}this host\n.*10\.77\.0\.1:15012 is not this mesh's server/,
    );
    assert.deepEqual(at("vm4").host.files(), [], "looking changes nothing");
    await type("vm4", "join", line);
    const secret = token.split(".").at(-1) ?? "";
    for (const path of at("vm3").host.files()) {
      const text = readable(at("vm3").host.path(path));
      assert.ok(!text.includes(secret), `the token's secret is in ${path}`);
    }
    const again = await at("vm4").host.lateen("join", token);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /has joined already/);
  });

  test("an idle agent is small", async (t) => {
    const agents = at("vm4").host.processes();
    assert.equal(agents.length, 1);
    const [pid = 0] = agents;
    const [resident, own, shared] = [
      memoryMiB(pid, "status", "VmRSS"),
      memoryMiB(pid, "status", "RssAnon"),
      memoryMiB(pid, "smaps_rollup", "Pss"),
    ];
    t.diagnostic(
      `idle agent: ${shared} MiB with its share of what others map too (goal: 90), ${own} MiB of its own, ${resident} MiB resident`,
    );
    assert.ok(shared <= 90, `${shared} MiB`);
  });

  test("drop-ins count at once, Consul's too; a bad one leaves the others in force and is told", async () => {
    const { host, apps } = at("vm4");
    await apps.serve("http", "web-of-consul", "127.0.0.1", 9300);
    const folder = host.path("/etc/lateen.d/services.d");
    const definition = {
      service: {
        name: "catalog",
        port: 9300,
        tags: ["lateen.protocol=http"],
        token: "not-for-us",
        check: { http: "http://localhost:9300/", interval: "1s" },
        connect: {
          sidecar_service: { proxy: { upstreams: [{ destination_name: "api", local_bind_port: 15100 }] } },
        },
      },
    };
    writeFileSync(join(folder, "catalog.json"), JSON.stringify(definition));
    const begin = performance.now();
    await reaches("vm4");
    assert.ok(performance.now() - begin < STARTS_MS);
    writeFileSync(join(folder, "bad.yaml"), "services: [{ name: bad, prt: 1 }]");
    const problems = await eventually("the bad file is told", async () => {
      const { problems } = await statusOf("vm4");
      return problems.some(({ message }) => message.includes("bad.yaml")) ? problems : undefined;
    });
    const told = problems.map(({ code, message }) => `${code} ${message}`).join("\n");
    assert.match(
      told,
      /host\.services-file .*bad\.yaml does not count: .*prt: there is no such key, did you mean port/,
    );
    assert.match(
      told,
      /host\.services-file of .*catalog\.json is passed over: service\.token: means nothing here/,
    );
    assert.equal((await calls("vm4")).status, 200);
    rmSync(join(folder, "bad.yaml"));
  });

  test("what is wrong with a host is found under its code, in check, status and log, and nothing stops that worked", async () => {
    const { host, apps } = at("vm4");
    const folder = host.path("/etc/lateen.d/services.d");
    await apps.serve("tcp", "stranger", host.address, 21_000);
    writeFileSync(join(folder, "silent.yaml"), "services: [{ name: silent, port: 9401 }]");
    writeFileSync(join(folder, "far.yaml"), "services: [{ name: far, port: 9402, address: 10.99.0.1 }]");
    // Before catalog.json in the order of names, and it has that one's port.
    writeFileSync(join(folder, "a-twice.yaml"), "services: [{ name: twice, port: 9300 }]");
    writeFileSync(
      join(folder, "tags.json"),
      JSON.stringify({
        service: { name: "t", port: 9403, tags: ["lateen.protocol=http", "lateen.protocol=tcp"] },
      }),
    );
    const wanted = [
      "host.address",
      "host.claimed-twice",
      "host.foreign-listener",
      "host.nothing-listens",
      "host.tags",
    ];
    const check = await eventually(
      "all is found",
      async () => {
        const { stdout, code } = await host.lateen("check");
        return wanted.every((one) => stdout.includes(`  ${one}  `)) ? { stdout, code } : undefined;
      },
      STARTS_MS,
    );
    assert.equal(check.code, 1, check.stdout);
    for (const line of check.stdout.matchAll(/^(?:error|warning) .*\n {2}.+\n(.*)$/gm))
      assert.match(line[1] ?? "", /^ {2}try: \S/);
    const listed = JSON.parse((await host.lateen("check", "-o", "json")).stdout) as {
      items: { code: string }[];
    };
    const inStatus = (await statusOf("vm4")).problems.map(({ code }) => code);
    const log = readFileSync(host.path("/var/lib/lateen/agent/agent.log"), "utf8");
    for (const code of wanted) {
      assert.ok(
        listed.items.some((one) => one.code === code),
        `${code} in the JSON of check`,
      );
      assert.ok(inStatus.includes(code), `${code} in the status`);
      assert.ok(log.includes(`"code":"${code}"`), `${code} in the log`);
    }
    assert.equal((await calls("vm4")).status, 200);
    for (const name of ["silent.yaml", "far.yaml", "a-twice.yaml", "tags.json"]) rmSync(join(folder, name));
  });

  test("a service that is said to be where the host is not stays where it was, and is told", async () => {
    const { host } = at("vm4");
    const path = host.path("/etc/lateen.d/services.d/catalog.json");
    const catalog = async (): Promise<readonly unknown[]> => {
      const found = (await statusOf("vm4")).workloads.find(({ workload }) => workload === "default/catalog");
      return [found?.state, found?.inbound];
    };
    const [before, was] = [readFileSync(path, "utf8"), await catalog()];
    const moved = JSON.parse(before) as { service: Record<string, unknown> };
    moved.service["address"] = "10.99.0.2";
    writeFileSync(path, JSON.stringify(moved));
    await eventually(
      "it is found",
      async () =>
        /host\.address {2}default\/catalog\n {2}catalog is said to be at 10\.99\.0\.2/.test(
          (await host.lateen("check")).stdout,
        ),
      STARTS_MS,
    );
    assert.deepEqual(await catalog(), was);
    assert.deepEqual(was, ["serving", [`${host.address}:9300`]]);
    assert.equal((await calls("vm4")).status, 200);
    writeFileSync(path, before);
  });

  test("a host that is cut off says so, keeps what it has, and comes back by itself", async () => {
    await lab.network.wire(at("vm3").host.network, "down");
    assert.equal((await calls("vm1")).status, 200);
    const found = await eventually(
      "it is found",
      async () => {
        const { stdout } = await at("vm3").host.lateen("check");
        return stdout.includes("host.server-unreachable") ? stdout : undefined;
      },
      STARTS_MS,
    );
    assert.match(found, /the server at 10\.77\.0\.1:15012 cannot be reached/);
    await lab.network.wire(at("vm3").host.network, "up");
    await reaches("vm3");
    await eventually("the server has it again", async () => (await statusOf("vm3")).server.connected, 40_000);
  });

  test("a host that reboots while the server is down serves and calls from what it has kept", async () => {
    const [server] = at("vm1")
      .host.processes()
      .filter((pid) => commandOf(pid).includes("\0server\0"));
    assert.ok(server);
    process.kill(server, "SIGKILL");
    for (const name of ["vm2", "vm3"] as const) {
      at(name).host.powerOff();
      at(name).host.start("agent");
    }
    assert.equal((await reaches("vm1")).echo?.app, "api");
    assert.equal((await reaches("vm3")).echo?.app, "api");
    assert.equal((await statusOf("vm2")).server.connected, false);
    at("vm1").host.start("server");
    await eventually(
      "the server has them again",
      async () => (await statusOf("vm2")).server.connected,
      40_000,
    );
    assert.equal((await calls("vm1")).status, 200);
  });

  test("a host that leaves lets its requests finish, is out of the mesh, and has nothing of it left", async () => {
    const { host, apps } = at("vm4");
    writeFileSync(host.path("/etc/lateen.d/services.d/mine.json"), '{"services": []}');
    await type("vm4", "service", "add", "store", "--port", "9500");
    const slow = apps.http(API, "/?delayMs=1500");
    const said = await type("vm4", "leave");
    assert.equal((await slow).status, 200);
    assert.match(said, /drained .*default\/store/);
    assert.match(said, /the server was told that they are out of the mesh/);
    assert.match(said, /removed \/etc\/lateen\.d\/agent\.yaml/);
    assert.match(said, /kept \/etc\/lateen\.d\/services\.d: there is something else in it/);
    assert.deepEqual(host.processes(), []);
    assert.deepEqual(host.files().toSorted(), [
      "/etc/lateen.d",
      "/etc/lateen.d/services.d",
      "/etc/lateen.d/services.d/catalog.json",
      "/etc/lateen.d/services.d/mine.json",
    ]);
    assert.doesNotMatch(await type("vm1", "get", "workloads"), /store|catalog/);
    assert.match(await type("vm4", "leave"), /in no mesh/);
    const check = await host.lateen("check");
    assert.deepEqual([check.code, /this host has not joined a mesh/.test(check.stdout)], [1, true]);

    await type("vm3", "leave");
    assert.deepEqual(at("vm3").host.files(), []);
  });
});

function tokenIn(said: string): string {
  return /lateen join (lateen1\.\S+)/.exec(said)?.[1] ?? assert.fail(`no token in ${said}`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8");
}

/** Empty for what is no file. */
function readable(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Of proc_pid_status(5) or proc_pid_smaps(5). */
function memoryMiB(pid: number, file: string, field: string): number {
  const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
  return Math.round(Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(text)?.[1]) / 1024);
}
