import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { SystemdHost, skipWithoutSystemd } from "../harness/systemd-host.ts";

const APP = `require("node:http").createServer((request, response) =>
  response.end("api for " + request.headers["x-forwarded-client-cert"])).listen(9090, "127.0.0.1")`;
const CALL = `fetch("http://127.0.0.1:15100/").then((reply) => reply.text()).then(console.log)`;

describe("a host under a systemd of its own", { skip: skipWithoutSystemd(), timeout: 120_000 }, () => {
  let host: SystemdHost;
  before(async () => {
    host = await SystemdHost.boot();
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  const type = async (...command: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await host.lateen(...command);
    assert.equal(code, 0, `lateen ${command[0]}: ${stdout}${stderr}`);
    return stdout + stderr;
  };
  const property = async (unit: string, name: string): Promise<string> =>
    (await host.run("systemctl", "show", "--property", name, "--value", unit)).stdout.trim();
  const call = async (): Promise<string> => (await host.run(process.execPath, "-e", CALL)).stdout;
  const proxies = async (): Promise<readonly string[]> =>
    (await host.run("pgrep", "-u", "lateen", "-f", "lateen.js proxy")).stdout
      .split("\n")
      .filter((pid) => pid !== "");

  test("init enables and starts the units, and their walls let the mesh work", async () => {
    host.spawn(process.execPath, "-e", APP);
    const said = await type("init");
    assert.match(
      said,
      /enabled and started lateen-server\.service[\s\S]*enabled and started lateen-agent\.service/,
    );
    for (const unit of ["lateen-server", "lateen-agent"]) {
      assert.equal(await property(unit, "ActiveState"), "active");
      assert.equal((await host.run("systemctl", "is-enabled", unit)).stdout, "enabled\n");
    }
    await type("service", "add", "api", "--port", "9090", "--protocol", "http");
    await type("service", "add", "web", "--port", "80", "--upstream", "api");
    assert.match(
      await eventually("a call", async () => (await call()) || undefined),
      /^api for .*URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/,
    );
    assert.match(
      await property("lateen-server", "StatusText"),
      /^\d+ services, \d+ workloads, \d+ proxies connected$/,
    );
    await eventually("both are told of", async () =>
      (await property("lateen-agent", "StatusText")).startsWith("2 workloads, 2 serving, server "),
    );
    assert.match(await property("lateen-server", "WatchdogTimestamp"), /\d/);
    const { code, stdout } = await host.lateen("check");
    assert.match(stdout, /^warning {2}host\.nothing-listens {2}default\/web/);
    assert.equal(code, 0, stdout);
  });

  test("data planes outlive an agent that crashes, and the next one takes them over", async () => {
    const before = await proxies();
    assert.equal(before.length, 2);
    const crashed = await property("lateen-agent", "MainPID");
    await host.run("kill", "-KILL", crashed);
    assert.match(await call(), /^api for /);
    await eventually(
      "systemd starts another",
      async () => {
        const [state, pid] = [
          await property("lateen-agent", "ActiveState"),
          await property("lateen-agent", "MainPID"),
        ];
        return state === "active" && pid !== "0" && pid !== crashed;
      },
      30_000,
    );
    assert.deepEqual(await proxies(), before);
    assert.match(await call(), /^api for /);
  });

  test("leave stops, disables and removes what join has set up", async () => {
    const said = await type("leave");
    assert.match(said, /stopped and disabled lateen-agent\.service/);
    assert.deepEqual(await proxies(), []);
    const left = await host.run(
      "find",
      "/etc/lateen.d",
      "/var/lib/lateen",
      "/run/lateen",
      "/etc/systemd/system",
      "-name",
      "*agent*",
    );
    assert.equal(left.stdout, "");
    assert.equal(await property("lateen-server", "ActiveState"), "active");
  });
});
