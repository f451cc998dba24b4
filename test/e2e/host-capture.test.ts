import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { VipAllocator } from "../../controlplane/snapshot/vip-allocator.ts";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { eventually } from "../harness/eventually.ts";
import { DATA_PLANES } from "../harness/mesh.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { NamespaceShell } from "../harness/namespace-shell.ts";
import { requireTool, skipWithout, skipWithoutNamespaces } from "../harness/tools.ts";
import { type VmHost, VmLab } from "../harness/vm-lab.ts";

const STARTS_MS = 30_000;
/** Users of the two services on one host. */
const SHOP = 23_001;
const BLOG = 23_002;
const vips = new VipAllocator();
const API = `http://${vips.addressOf("api.default.svc.cluster.local")}:9090`;

const NAME_SERVER = `const s = require("node:dgram").createSocket("udp4");
s.on("message", (_, { port, address }) => s.send("answer of one", port, address));
s.bind(53, () => console.log("ready"));`;
const ASKER = `const s = require("node:dgram").createSocket("udp4");
s.on("message", (said) => { process.stdout.write(said); s.close(); });
s.send("question", 53, process.argv[1]); setTimeout(() => process.exit(), 5000).unref();`;

/** Rules that were there before, with a port of docker's kind. */
const FOREIGN = `table ip docker-like {
  chain DOCKER {
    tcp dport 8099 dnat to 10.99.0.1:80
  }
  chain PREROUTING {
    type nat hook prerouting priority -100;
    fib daddr type local jump DOCKER
  }
}
table inet guard {
  chain input {
    type filter hook input priority 0;
    tcp dport 4444 drop
  }
}
`;

for (const dataPlane of DATA_PLANES) {
  const skip = skipWithoutNamespaces() || (dataPlane === "envoy" && skipWithout("envoy"));
  describe(`capture on hosts, ${dataPlane}`, { skip, timeout: 240_000 }, () => {
    const stack = new AsyncDisposableStack();
    let lab: VmLab;
    let one: VmHost;
    let two: VmHost;
    /** Of host two, each as its own user; `stray` is nobody's. */
    let shop: NamespaceShell;
    let blog: NamespaceShell;
    let stray: NamespaceShell;
    let api: NamespaceShell;
    let oneIpv6 = "";
    let twoIpv6 = "";
    let rulesBefore = "";

    const type = async (host: VmHost, ...command: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await host.lateen(...command);
      assert.equal(code, 0, `${host.name}# lateen ${command.join(" ")}: ${stdout}${stderr}`);
      return stdout + stderr;
    };
    const shellAs = (host: VmHost, uid?: number): NamespaceShell =>
      stack.use(
        new NamespaceShell(
          host.network,
          uid === undefined ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
        ),
      );
    const rules = (host: VmHost): Promise<string> => lab.network.nft(host.network, "list", "ruleset");
    const caller = ({ echo }: Reply): string =>
      /URI=[^;,]*\/sa\/([^;,"]+)/.exec(String(echo?.headers["x-forwarded-client-cert"] ?? ""))?.[1] ??
      "nobody";
    const calls = async (shell: NamespaceShell, origin: string, host?: string): Promise<string> => {
      const reply = await shell.http(origin, "/", host === undefined ? {} : { headers: { host } });
      return reply.status === 200
        ? `${reply.echo?.app} as ${caller(reply)}`
        : `${reply.status} ${reply.failure}`;
    };
    const becomes = (what: string, got: () => Promise<string>, want: string): Promise<unknown> => {
      let last = "";
      return eventually(what, async () => (last = await got()) === want, STARTS_MS).catch(() =>
        assert.fail(`${what}: ${last}, and not ${want}`),
      );
    };

    before(async () => {
      lab = stack.use(await VmLab.open());
      one = await lab.host("one");
      two = await lab.host("two");
      oneIpv6 = await lab.network.ipv6(one.network);
      twoIpv6 = await lab.network.ipv6(two.network);
      api = shellAs(one);
      shop = shellAs(two, SHOP);
      blog = shellAs(two, BLOG);
      stray = shellAs(two);
      await api.serve("http", "api", "127.0.0.1", 9090);
      await shop.serve("http", "shop", "::", 8080);
      await blog.serve("http", "blog", "::", 8081);
      await stray.serve("tcp", "sshd", "0.0.0.0", 22);
      await api.serve("http", "outside", "::", 7070);
      appendFileSync(two.path("/etc/passwd"), `blogger:x:${BLOG}:${BLOG}::/:/bin/false\n`);
      const envoy = dataPlane === "envoy" ? `\nenvoy: ${requireTool("envoy")}` : "";
      const token = /lateen join (lateen1\.\S+)/.exec(await type(one, "init"))?.[1] ?? "";
      await type(two, "join", token);
      for (const host of [one, two]) {
        appendFileSync(host.path("/etc/lateen.d/agent.yaml"), `\ndataPlane: ${dataPlane}${envoy}\n`);
        for (const pid of host.processes()) if (host === two) process.kill(pid, "SIGTERM");
      }
      await eventually("the agent has ended", async () => two.processes().length === 0, STARTS_MS);
      two.start("agent");
      await type(one, "service", "add", "api", "--port", "9090", "--protocol", "http");
      writeFileSync(
        two.path("/etc/lateen.d/services.d/two.yaml"),
        `services:
  - { name: shop, port: 8080, protocol: http, interception: redirect }
  - { name: blog, port: 8081, protocol: http, interception: redirect, owner: "user:blogger" }
`,
      );
      await eventually(
        "both services are served",
        async () => {
          const { stdout } = await two.lateen("status", "-o", "json");
          if (stdout === "") return false;
          const { workloads } = JSON.parse(stdout) as AgentStatus;
          return workloads.length === 2 && workloads.every(({ state }) => state === "serving");
        },
        STARTS_MS,
      );
      writeFileSync(two.path("/run/foreign.nft"), FOREIGN);
      await lab.network.nft(two.network, "-f", two.path("/run/foreign.nft"));
      rulesBefore = await rules(two);
    });
    after(async () => {
      await stack.disposeAsync();
    });

    test("a plan changes nothing, and says what it would do", async () => {
      const said = await type(two, "capture", "plan");
      assert.match(said, /default\/shop: what user 23001 calls goes to port \d+/);
      assert.match(said, /default\/blog: what user 23002 calls goes to port \d+/);
      assert.equal(await rules(two), rulesBefore);
      assert.match((await two.lateen("check")).stdout, /host\.capture-off {2}default\/shop/);
    });

    test("what is not confirmed goes by itself, with nobody to see to it, and the rules are as they were", async () => {
      await type(two, "capture", "apply", "--within", "3s");
      assert.match(await rules(two), /table inet lateen/);
      await eventually("it is gone", async () => (await rules(two)) === rulesBefore, STARTS_MS);
      const late = await two.lateen("capture", "confirm");
      assert.notEqual(late.code, 0);
      assert.match(late.stderr, /nothing is in force/);
    });

    test("services of one host keep their identities, what is nobody's is left alone, and so is SSH", async () => {
      await type(two, "capture", "apply", "--within", "60s");
      await type(two, "capture", "confirm");
      await becomes("shop calls api", () => calls(shop, API), "api as shop");
      await becomes("blog calls api", () => calls(blog, API), "api as blog");
      assert.notEqual((await stray.http(API).catch(() => ({ status: 0 }))).status, 200);
      const outside = `http://${two.address}`;
      assert.equal((await api.tcp(two.address, 22)).app, "sshd");
      assert.equal(await calls(api, `${outside}:8080`), "shop as nobody");
      assert.deepEqual(
        await Promise.all([8080, 8081].map((port) => atProxy(`${outside}:${port}`))),
        [true, true],
        "what comes in comes through the proxies",
      );
      const check = await two.lateen("capture", "check");
      assert.equal(check.code, 0, check.stdout);
      assert.match(check.stdout, /nothing is wrong/);
    });

    test("one service calls another of the same host as itself, by its name and by the host's address", async () => {
      const blogVip = `http://${vips.addressOf("blog.default.svc.cluster.local")}:8081`;
      await becomes("shop calls blog", () => calls(shop, blogVip), "blog as shop");
      assert.equal(await calls(shop, `http://${two.address}:8081`), "blog as nobody");
    });

    test("IPv6 is captured the same way, in and out", async () => {
      assert.equal(await calls(api, `http://[${twoIpv6}]:8080`), "shop as nobody");
      assert.equal(await atProxy(`http://[${twoIpv6}]:8080`), true);
      // Whose the address is does not matter where HTTP is routed by its host; past the proxy nothing listens there.
      assert.equal(await calls(shop, `http://[${oneIpv6}]:9090`, "api"), "api as shop");
      assert.match(await calls(stray, `http://[${oneIpv6}]:9090`, "api"), /ECONNREFUSED/);
    });

    test("capture goes and comes under traffic without a failed call, and leaves the rules as they were", async () => {
      await api.beginTraffic(`http://${two.address}:8080`);
      await shop.beginTraffic(`http://${one.address}:7070`);
      const progress = async (): Promise<void> => {
        const start = await Promise.all([api.traffic(), shop.traffic()]);
        await eventually("calls are made", async () => {
          const now = await Promise.all([api.traffic(), shop.traffic()]);
          return now.every(
            ({ kept, fresh }, at) =>
              kept > (start[at]?.kept ?? 0) + 20 && fresh > (start[at]?.fresh ?? 0) + 20,
          );
        });
      };
      await progress();
      for (let round = 0; round < 2; round += 1) {
        const removed = await type(two, "capture", "remove", "--drain", "2s");
        assert.match(removed, /the rules are gone/);
        assert.equal(await rules(two), rulesBefore);
        await progress();
        await type(two, "capture", "apply", "--confirm");
        await progress();
      }
      const tallies = await Promise.all([api.endTraffic(), shop.endTraffic()]);
      for (const { failures } of tallies) assert.deepEqual(failures, []);
    });

    test("questions to name servers go where they went", async () => {
      const server = one.network.spawn(process.execPath, ["-e", NAME_SERVER], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        await once(server.stdout ?? process.stdin, "data");
        const asker = two.network.spawn(
          "setpriv",
          [
            `--reuid=${SHOP}`,
            `--regid=${SHOP}`,
            "--clear-groups",
            process.execPath,
            "-e",
            ASKER,
            one.address,
          ],
          { stdio: ["ignore", "pipe", "inherit"] },
        );
        assert.equal(await text(asker.stdout ?? process.stdin), "answer of one");
      } finally {
        server.kill();
      }
    });

    test("what was confirmed is in force again after something else that was not", async () => {
      await type(two, "capture", "apply", "--within", "2s");
      assert.match((await two.lateen("capture", "check")).stdout, /host\.capture-(off|changed)/);
      await becomes(
        "it is in force again",
        async () => (await two.lateen("capture", "check")).stdout,
        "nothing is wrong with this host\n",
      );
      assert.match(await rules(two), /elements = \{ (tcp|6) \}/);
      assert.equal(await calls(shop, API), "api as shop");
    });

    test("rules that somebody has changed, and rules in our way, are found", async () => {
      await lab.network.nft(two.network, "flush", "chain", "inet", "lateen", "inbound");
      await lab.network.nft(two.network, "add", "table", "ip", "nat");
      await lab.network.nft(two.network, "add", "chain", "ip", "nat", "CONSUL_PROXY_OUTPUT");
      const check = await two.lateen("check");
      assert.equal(check.code, 1);
      assert.match(check.stdout, /host\.capture-changed/);
      assert.match(check.stdout, /host\.foreign-rules.*\n.*Consul captures/);
      await lab.network.nft(two.network, "delete", "table", "ip", "nat");
      await type(two, "capture", "apply", "--confirm");
      assert.equal((await two.lateen("capture", "check")).code, 0);
    });

    test("after a reboot what was confirmed is restored, and a host that leaves has its rules as they were", async () => {
      two.powerOff();
      await lab.network.nft(two.network, "delete", "table", "inet", "lateen");
      two.start("agent");
      await type(two, "capture", "restore", "--wait", "30s");
      await becomes("shop calls api", () => calls(shop, API), "api as shop");
      await type(two, "leave");
      assert.equal(await rules(two), rulesBefore);
      assert.deepEqual(
        two.files().filter((path) => /capture/.test(path)),
        [],
      );
    });

    /** Whether a call was made to the application by its proxy. */
    async function atProxy(origin: string): Promise<boolean> {
      const { echo } = await api.http(origin);
      return ["127.0.0.6", "127.0.0.1", "::1", "::ffff:127.0.0.6", "::ffff:127.0.0.1"].includes(
        echo?.from ?? "",
      );
    }
  });
}
