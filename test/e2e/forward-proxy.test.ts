import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { meshConfig, versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { freePort } from "../harness/test-proxy.ts";

const PROXY_PORT = 15_080;
const HOSTS = [
  { name: "caller", service: "caller", discovery: "mesh", httpProxy: PROXY_PORT },
  { name: "lazy", service: "lazy", discovery: "on-demand", httpProxy: PROXY_PORT },
  { name: "plain", service: "plain", discovery: "mesh" },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
  { name: "ratings", service: "ratings", namespace: "other" },
] as const;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A call as an application makes it that has `http_proxy` set. */
function callThroughProxy(mesh: Mesh, from: string, url: string): Promise<Answer> {
  return callThrough({ host: mesh.host(from).spec.loopback, port: PROXY_PORT }, url);
}

function callThrough(proxy: { readonly host: string; readonly port: number }, url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host } = new URL(url);
    const sent = request({ ...proxy, path: url, headers: { host }, timeout: 10_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", reject);
    sent.end();
  });
}

const NAMES = [
  "http://reviews:9080/",
  "http://reviews.default:9080/",
  "http://reviews.default.mesh:9080/",
  "http://reviews.default.svc.cluster.local:9080/",
];

describeMesh("HTTP forward proxy", { hosts: HOSTS }, (mesh) => {
  for (const from of ["caller", "lazy"]) {
    test(`${from} reaches a service by every name that it has`, async () => {
      for (const url of NAMES) {
        const { status, body } = await callThroughProxy(mesh(), from, url);
        assert.equal(status, 200, `${url}: ${body}`);
        assert.match(body, /reviews-v[12]/);
      }
      const other = await callThroughProxy(mesh(), from, "http://ratings.other:9080/");
      assert.equal(other.status, 200);
      assert.match(other.body, /ratings/);
    });

    test(`${from} is refused a tunnel: the calls in it would be nobody's to see`, async () => {
      const proxy = { host: mesh().host(from).spec.loopback, port: PROXY_PORT };
      const status = await new Promise<number>((resolve, reject) => {
        const sent = request({ ...proxy, method: "CONNECT", path: "reviews:9080", timeout: 10_000 });
        sent.on("connect", ({ statusCode = 0 }, socket) => {
          socket.destroy();
          resolve(statusCode);
        });
        sent.on("response", ({ statusCode = 0 }) => resolve(statusCode));
        sent.on("error", reject);
        sent.on("timeout", () => sent.destroy(new Error("no answer")));
        sent.end();
      });
      assert.ok(status >= 400 && status < 500, `status ${status}`);
    });

    test(`${from} gets 502 for a host of no service`, async () => {
      const { status } = await callThroughProxy(mesh(), from, "http://nobody.example:9080/");
      assert.equal(status, 502);
    });

    test(`${from} follows a VirtualService`, async () => {
      await mesh().apply(
        versions("reviews", "v1", "v2") +
          virtualService("reviews", {
            http: [{ route: [{ destination: { host: "reviews", subset: "v2" } }] }],
          }),
      );
      await eventually("all on v2", async () => {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => callThroughProxy(mesh(), from, "http://reviews:9080/")),
        );
        return answers.every(({ body }) => body.includes("reviews-v2"));
      });
    });
  }

  test("proxyHttpPort: who has all of the mesh, and no proxy of its own, has one there", async () => {
    const proxy = { host: "127.0.0.1", port: await freePort() };
    const isThere = (): Promise<boolean> =>
      callThrough(proxy, "http://reviews:9080/").then(
        ({ status, body }) => status === 200 && body.includes("reviews-v"),
        () => false,
      );
    assert.equal(await isThere(), false);
    await mesh().apply(meshConfig({ proxyHttpPort: proxy.port }));
    await eventually("an answer through it", isThere);
    await mesh().delete("MeshConfig", "mesh", "istio-system");
    await eventually("it is gone", async () => !(await isThere()));
  });

  test("a proxy that asks on demand has clusters of what it has called, and of nothing else", async () => {
    await callThroughProxy(mesh(), "lazy", "http://reviews:9080/");
    const { stdout } = await mesh().cli(["proxy-config", "cluster", "lazy", "-o", "name"]);
    const clusters = stdout.split("\n").filter((name) => name.includes("outbound|"));
    assert.ok(
      clusters.some((name) => name.includes("reviews")),
      stdout,
    );
    assert.ok(!clusters.some((name) => name.includes("caller")), stdout);
  });
});
