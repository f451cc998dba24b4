import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { call, TestApp } from "../../test/harness/proxy-pair.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import {
  faultFilter,
  onDemandFilter,
  outboundHttp,
  outboundTcp,
  router,
  routeTo,
  staticCluster,
} from "../../test/harness/xds-samples.ts";

/** Names of virtual hosts that the proxy has subscribed to, and not left since. */
function asked({ ads }: TestProxy): string[] {
  const names = new Set<string>();
  for (const request of ads.requests.filter(({ typeUrl }) => typeUrl === TYPE_URL.virtualHost)) {
    for (const name of request.resourceNamesSubscribe) names.add(name);
    for (const name of request.resourceNamesUnsubscribe) names.delete(name);
  }
  return [...names];
}

test("a call to an unknown host waits for its virtual host; later calls do not", async () => {
  await using app = await TestApp.start((_request, response) => response.end("found"));
  await using proxy = await TestProxy.start();
  const port = await freePort();
  const filters = { httpFilters: [onDemandFilter, faultFilter, router] };
  proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, "80", filters));
  const vhds = { configSource: { ads: {}, resourceApiVersion: "V3" } };
  proxy.ads.set("route", "80", { name: "80", vhds });
  await proxy.ready();
  const to = (host: string): ReturnType<typeof call> => call(port, "/", { headers: { host } });

  const first = to("Reviews:80");
  await eventually("the host is asked for", () => Promise.resolve(asked(proxy).length === 1 || undefined));
  assert.deepEqual(asked(proxy), ["80/reviews:80"]);
  const virtualHost = { name: "80/reviews:80", domains: ["reviews:80"], routes: [routeTo("c")] };
  proxy.ads.set("virtualHost", "80/reviews:80", virtualHost);
  assert.equal((await first).body, "found");
  assert.equal((await to("reviews:80")).body, "found");

  const other = to("nobody");
  await eventually("another host is asked for", () =>
    Promise.resolve(asked(proxy).length === 2 || undefined),
  );
  proxy.ads.remove("virtualHost", "80/nobody");
  assert.equal((await other).status, 404);
  assert.equal((await to("nobody")).status, 404);

  const gone = { directResponse: { status: 410 } };
  const changed = { ...virtualHost, routes: [{ match: { prefix: "/" }, ...gone }] };
  proxy.ads.set("virtualHost", "80/reviews:80", changed);
  await eventually("the host follows", async () => (await to("reviews:80")).status === 410 || undefined);

  proxy.ads.remove("listener", `127.0.0.1_${port}`);
  await eventually("with the routes go their hosts", () =>
    Promise.resolve(asked(proxy).length === 0 || undefined),
  );
});

test("a connection for a cluster that is not there waits for it, and is closed when there is none", async () => {
  const app = createServer((socket) => socket.end("found"));
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  await using proxy = await TestProxy.start();
  const port = await freePort();
  const onDemand = { odcdsConfig: { ads: {}, resourceApiVersion: "V3" }, timeout: "4s" };
  proxy.ads.set("cluster", "known", staticCluster("known", []));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundTcp(port, { cluster: "c", onDemand }));
  await proxy.ready();
  const clusterRequests = (): string[][] =>
    proxy.ads.requests.flatMap(
      ({ typeUrl, responseNonce, resourceNamesSubscribe, resourceNamesUnsubscribe }) =>
        typeUrl === TYPE_URL.cluster && responseNonce === ""
          ? [[...resourceNamesSubscribe, ...resourceNamesUnsubscribe.map((name) => `-${name}`)]]
          : [],
    );

  const first = heard(port);
  await eventually("the cluster is asked for", () => clusterRequests().length === 2);
  proxy.ads.set("cluster", "c", staticCluster("c", [(app.address() as AddressInfo).port]));
  assert.equal(await first, "found");
  assert.equal(await heard(port), "found");
  // All there are, and this one by name beside them.
  assert.deepEqual(clusterRequests(), [[], ["c"]]);

  proxy.ads.remove("cluster", "c");
  await eventually("it is not wanted any more", () => clusterRequests().length === 3);
  const second = heard(port);
  await eventually("it is asked for again", () => clusterRequests().length === 4);
  proxy.ads.remove("cluster", "c");
  assert.equal(await second, "");
  assert.deepEqual(clusterRequests().slice(2, 4), [["-c"], ["c"]]);
  assert.deepEqual(proxy.ads.nacks, []);
  app.close();
});

/** What a connection hears before it is closed. */
function heard(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect(port, "127.0.0.1")
      .setEncoding("utf8")
      .on("data", (more: string) => {
        text += more;
      })
      .on("error", reject)
      .on("close", () => resolve(text));
  });
}
