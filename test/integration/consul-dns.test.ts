import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { DnsServer } from "../../agent/dns/dns-server.ts";
import { MeshNames } from "../../agent/dns/mesh-names.ts";
import { planHook } from "../../cli/host/dns/hook.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { HostName } from "../../mesh/xds/gen/lateen/names/v1/names.ts";
import { startConsul } from "../../setup/run-consul.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/test-proxy.ts";
import { requireTool, skipWithout } from "../harness/tools.ts";

const FACTS = {
  resolved: false,
  dnsmasq: false,
  consul: true,
  resolvConf: { link: undefined, isMount: false, text: undefined },
};

test("Consul and the agent find each other's names: by the hook, and by dns.domains", {
  skip: skipWithout("consul"),
}, async (t) => {
  const ip = `127.${randomInt(64, 128)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const [own, consulPort] = [await freePort(), await freePort()];
  const names = new MeshNames();
  const server = new DnsServer({
    listen: [{ address: "127.0.0.1", port: own }],
    upstreams: [],
    domains: { consul: [`${ip}:${consulPort}`] },
    files: { resolvConf: "/nowhere/resolv.conf", resolved: "/nowhere/resolved.conf" },
    zones: ["mesh", "svc.cluster.local"],
    names,
    clock: systemClock,
    logger: silentLogger,
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
  names.serve(new Map([["default/web", "loopback"]]));
  const told = { hostname: "reviews.default.svc.cluster.local", addresses: ["240.240.1.2"], ports: [] };
  const bytes = HostName.encode({ ...told, aliases: ["reviews.mesh", "reviews.service.consul"] }).finish();
  names.follow("default/web")?.({ upserts: [{ name: told.hostname, bytes }], removals: [] });

  const plan = planHook("consul", FACTS, {
    listening: [{ at: `127.0.0.1:${own}`, problem: undefined }],
    upstreams: [],
    zones: [],
    search: [],
    hosts: 1,
  });
  assert.ok(!("reason" in plan));
  const drop = plan.text.replace(/}\s*$/, `, "ports": { "dns": ${consulPort} } }`);
  await using consul = await startConsul(requireTool("consul"), undefined, `http://${ip}:8500`, drop);
  await consul.register({ ID: "db", Name: "db", Address: "10.0.0.8", Port: 5432 });

  const at = (place: string): Resolver => {
    const resolver = new Resolver({ timeout: 5_000, tries: 1 });
    resolver.setServers([place]);
    return resolver;
  };
  const throughConsul = at(`${ip}:${consulPort}`);
  assert.deepEqual(await throughConsul.resolve4("reviews.mesh"), ["127.240.1.2"]);
  await eventually("Consul's own", async () => {
    const found = await throughConsul.resolve4("db.service.consul").catch(() => []);
    return found[0] === "10.0.0.8";
  });
  const throughAgent = at(`127.0.0.1:${own}`);
  assert.deepEqual(await throughAgent.resolve4("db.service.consul"), ["10.0.0.8"]);
  assert.deepEqual(await throughAgent.resolve4("reviews.service.consul"), ["127.240.1.2"]);
});
