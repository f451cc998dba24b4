import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { call, ROUTES, TestApp } from "../../../test/harness/proxy-pair.ts";
import { freePort, TestProxy } from "../../../test/harness/test-proxy.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "../../../test/harness/xds-samples.ts";

interface Copy {
  readonly url: string;
  readonly host: string;
  readonly added: string;
  readonly body: string;
}

test("copies are whole and changed as the original is; nobody waits for them", async () => {
  const copies: Copy[] = [];
  let hung = 0;
  await using original = await TestApp.start();
  await using mirror = await TestApp.start((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { host = "", "x-added": added = "" } = request.headers;
      copies.push({
        url: request.url ?? "",
        host,
        added: String(added),
        body: Buffer.concat(chunks).toString(),
      });
      response.writeHead(500).end("the mirror's answer");
    });
  });
  await using silent = await TestApp.start(() => void hung++);
  await using proxy = await TestProxy.start();
  const port = await freePort();
  const clusters = { original: original.port, mirror: mirror.port, silent: silent.port };
  for (const [name, at] of Object.entries(clusters))
    proxy.ads.set("cluster", name, staticCluster(name, [at]));
  const part = (numerator: number): { defaultValue: { numerator: number } } => ({
    defaultValue: { numerator },
  });
  const requestMirrorPolicies = [
    { cluster: "mirror", runtimeFraction: part(100) },
    { cluster: "mirror", runtimeFraction: part(0) },
    { cluster: "silent", disableShadowHostSuffixAppend: true },
    { cluster: "none" },
  ];
  const added = { requestHeadersToAdd: [{ header: { key: "x-added", value: "yes" } }] };
  const route = routeTo("original", added, { prefixRewrite: "/new/", requestMirrorPolicies });
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [route]));
  await proxy.ready();

  const body = "x".repeat(300_000);
  const reply = await call(port, "/path?q", { method: "POST", body, headers: { host: "shop.example:80" } });
  assert.deepEqual([reply.status, reply.body.length], [200, body.length]);
  await eventually("the mirrors are called", () =>
    Promise.resolve((copies.length > 0 && hung > 0) || undefined),
  );
  const wanted = { url: "/new/path?q", host: "shop.example-shadow:80", added: "yes", body };
  assert.deepEqual(copies, [wanted]);
  assert.equal(silent.seen[0]?.headers.host, "shop.example:80");
});
