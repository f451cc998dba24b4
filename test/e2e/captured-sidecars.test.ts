import assert from "node:assert/strict";
import { join } from "node:path";
import { type CapturedCall, describeCaptured } from "../harness/captured-mesh.ts";
import { peerAuthentication, serviceEntry, sidecar } from "../harness/mesh-policies.ts";

const HOSTS = [
  { name: "caller", service: "caller" },
  { name: "web", service: "web" },
  { name: "shop", service: "shop", namespace: "other" },
  { name: "store", service: "store", namespace: "other", protocol: "tcp" },
] as const;

const REGISTRY_ONLY = { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } };

/** What `caller` may reach, by the Sidecar in force. */
const reach = (web: string, shop: string, store: string): CapturedCall[] => [
  { to: "http://vip.web:9080", want: web },
  { to: "http://vip.shop.other:9080", want: shop },
  { to: "tcp://vip.store.other:9090", want: store },
];
const ALL = reach("200 web as caller", "200 shop as caller", "store");
const OWN_NAMESPACE = reach("200 web as caller", "502", "closed");
const HTTP_8080 = { number: 8080, name: "http", protocol: "HTTP" };
const TCP_9090 = { number: 9090, name: "tcp", protocol: "TCP" };

describeCaptured("Sidecars of captured workloads", { hosts: HOSTS }, (test) => {
  test("a service that no egress listener imports is unknown", async ({ mesh, expect }) => {
    await expect(...ALL);
    await mesh.apply(sidecar("default", { ...REGISTRY_ONLY, egress: [{ hosts: ["./*"] }] }));
    await expect(...OWN_NAMESPACE);
    await mesh.apply(
      sidecar("default", {
        ...REGISTRY_ONLY,
        egress: [{ hosts: ["other/store.other.svc.cluster.local", "./web.default.svc.cluster.local"] }],
      }),
    );
    await expect(...reach("200 web as caller", "502", "store"));
    await mesh.apply(
      sidecar("default", {
        ...REGISTRY_ONLY,
        egress: [{ hosts: ["*/*", "~*/shop.other.svc.cluster.local"] }],
      }),
    );
    await expect(...reach("200 web as caller", "502", "store"));
    await mesh.apply(sidecar("default", { ...REGISTRY_ONLY, egress: [{ hosts: ["~/*"] }] }));
    await expect(
      { to: "http://vip.web:9080", want: "closed" },
      { to: "tcp://vip.store.other:9090", want: "closed" },
    );
    // It is no wall around a service: what is unknown is passed through to where it was going, without the mesh.
    await mesh.apply(sidecar("default", { egress: [{ hosts: ["./caller.default.svc.cluster.local"] }] }));
    await expect({ to: "http://web:9080", host: "web", want: "200 web" });
    await mesh.apply(peerAuthentication("STRICT"));
    await expect({ to: "http://web:9080", host: "web", want: "503" });
  });

  test("the Sidecar that selects a workload wins over that of its namespace, and this over that of the root", async ({
    mesh,
    expect,
  }) => {
    const scoped = (hosts: readonly string[]): Record<string, unknown> => ({
      ...REGISTRY_ONLY,
      egress: [{ hosts }],
    });
    const other = { from: "web", to: "http://vip.shop.other:9080" };
    await mesh.apply(sidecar("root", scoped(["*/web.default.svc.cluster.local"]), "istio-system"));
    await expect(
      ...OWN_NAMESPACE,
      { ...other, want: "502" },
      { from: "shop", to: "http://vip.shop.other:9080", want: "502" },
    );
    await mesh.apply(sidecar("namespace", scoped(["./*", "other/shop.other.svc.cluster.local"])));
    await expect(...reach("200 web as caller", "200 shop as caller", "closed"), {
      ...other,
      want: "200 shop as web",
    });
    await mesh.apply(
      sidecar("one", {
        ...scoped(["./*", "other/store.other.svc.cluster.local"]),
        workloadSelector: { labels: { app: "caller" } },
      }),
    );
    await expect(...reach("200 web as caller", "502", "store"), { ...other, want: "200 shop as web" });
    await mesh.delete("Sidecar", "one");
    await expect(...reach("200 web as caller", "200 shop as caller", "closed"));
    await mesh.delete("Sidecar", "namespace");
    await mesh.delete("Sidecar", "root", "istio-system");
    await expect(...ALL);
  });

  test("an egress listener without capture is bound, and has only its own hosts", async ({
    mesh,
    expect,
    addressOf,
  }) => {
    const site = (name: string, namespace: string, host: string): string =>
      serviceEntry(
        name,
        {
          hosts: [`${name}.example`],
          location: "MESH_EXTERNAL",
          resolution: "STATIC",
          ports: [{ number: 8080, name: "http", protocol: "HTTP", targetPort: 9080 }],
          endpoints: [{ address: addressOf(host) }],
        },
        namespace,
      );
    await mesh.apply(
      site("near", "default", "web") +
        site("far", "other", "shop") +
        sidecar("default", {
          ...REGISTRY_ONLY,
          egress: [
            { port: HTTP_8080, bind: "127.0.0.9", captureMode: "NONE", hosts: ["other/*"] },
            { port: TCP_9090, captureMode: "NONE", hosts: ["other/*"] },
            { hosts: ["./*"] },
          ],
        }),
    );
    await expect(
      { to: "http://127.0.0.9:8080", host: "far.example", want: "200 shop" },
      { to: "http://127.0.0.9:8080", host: "near.example", want: "502" },
      { to: "tcp://127.0.0.1:9090", want: "store" },
      // Captured calls have the last listener.
      { to: "http://vip.web:9080", want: "200 web as caller" },
      // Its HTTP routes go by the port, and this port's are the first listener's.
      { to: "http://10.99.0.1:8080", host: "near.example", want: "502" },
      { to: "tcp://vip.store.other:9090", want: "closed" },
    );
  });

  test("an egress listener with a port takes captured calls of that port for its hosts", async ({
    mesh,
    expect,
  }) => {
    await mesh.apply(
      sidecar("default", {
        ...REGISTRY_ONLY,
        egress: [
          { port: { number: 9080, name: "http", protocol: "HTTP" }, hosts: ["other/*"] },
          { hosts: ["*/*"] },
        ],
      }),
    );
    await expect(
      { to: "http://vip.web:9080", host: "shop.other", want: "200 shop as caller" },
      { to: "http://vip.web:9080", want: "502" },
      { to: "tcp://vip.store.other:9090", want: "store" },
    );
  });

  test("an ingress listener says where the application is", async ({ mesh, expect, shell }) => {
    const socket = join(mesh.directory, "app.sock");
    await shell("web").serve("http", "moved", "127.0.0.1", 9999);
    await shell("web").serve("http", "on-socket", socket);
    const ingress = (...listeners: readonly unknown[]): string =>
      sidecar("web", { workloadSelector: { labels: { app: "web" } }, ingress: listeners });
    const http = { number: 9080, name: "http", protocol: "HTTP" };
    for (const [defaultEndpoint, app] of [
      ["127.0.0.1:9999", "moved"],
      [`unix://${socket}`, "on-socket"],
      ["", "web"],
    ] as const) {
      await mesh.apply(ingress({ port: http, ...(defaultEndpoint && { defaultEndpoint }) }));
      await expect(
        { to: "http://vip.web:9080", want: `200 ${app} as caller` },
        { from: "stranger", to: "http://web:9080", want: `200 ${app}` },
      );
    }
  });

  test("an ingress listener without capture is bound beside the captured one", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("web").serve("http", "second", "127.0.0.1", 9998);
    await mesh.apply(
      sidecar("web", {
        workloadSelector: { labels: { app: "web" } },
        ingress: [
          { port: { number: 9080, name: "http", protocol: "HTTP" } },
          {
            port: { number: 9443, name: "http-2", protocol: "HTTP" },
            bind: "0.0.0.0",
            captureMode: "NONE",
            defaultEndpoint: "127.0.0.1:9998",
          },
        ],
      }),
    );
    await expect(
      { to: "http://vip.web:9080", want: "200 web as caller" },
      // From its own host nothing is captured on the way in: the listener itself answers.
      { from: "web", to: "http://127.0.0.1:9443", want: "200 second" },
      { from: "stranger", to: "http://web:9443", want: "200 second" },
    );
  });

  test("an egress listener on a unix socket takes what is for its hosts", async ({ mesh, shell }) => {
    const socket = join(mesh.directory, "egress.sock");
    const port = { number: 0, name: "tcp", protocol: "TCP" };
    await mesh.apply(
      sidecar("caller", {
        workloadSelector: { labels: { app: "caller" } },
        egress: [{ port, bind: `unix://${socket}`, hosts: ["other/*"] }, { hosts: ["./*"] }],
      }),
    );
    assert.equal((await shell("caller").tcp(socket, 0)).app, "store");
  });
});
