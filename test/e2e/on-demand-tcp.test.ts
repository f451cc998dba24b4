import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { sampleState, workload } from "../fakes/sample-mesh.ts";
import { eventually } from "../harness/eventually.ts";
import { type DataPlaneKind, RelayedMesh } from "../harness/relayed-mesh.ts";
import { skipWithout } from "../harness/tools.ts";

const ID = "default/lazy-1";

/** A service outside the mesh that says its name to whoever connects, and then echoes. */
async function greeter(name: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

function entry(name: string, port: number, protocol = "TCP"): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 5432, name: port, protocol: ${protocol} }]
  endpoints: [{ address: 127.0.0.1, ports: { port: ${port} } }]
---`;
}

/** A connection through the data plane, with what has come so far. */
class Caller {
  readonly socket: Socket;
  heard = "";
  closed = false;

  constructor(address: string) {
    this.socket = connect(5432, address);
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: string) => {
      this.heard += text;
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  async hears(text: string): Promise<void> {
    await eventually(`"${text}" is heard`, () => this.heard.includes(text) || undefined);
  }
}

for (const kind of ["envoy", "builtin"] satisfies readonly DataPlaneKind[]) {
  const skip = kind === "envoy" && skipWithout("envoy");
  describe(`TCP on demand, ${kind}`, { skip, timeout: 60_000 }, () => {
    async function start() {
      const cleanup = new AsyncDisposableStack();
      const servers = new Map<string, Server>();
      for (const name of ["db", "queue", "cache", "never"]) servers.set(name, await greeter(name));
      cleanup.defer(() => {
        for (const server of servers.values()) server.close();
      });
      const yaml = `${[...servers].map(([name, server]) => entry(name, portOf(server))).join("")}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: never }
spec: { hosts: [never.test], tcp: [{ route: [{ destination: { host: cache.test } }] }] }
`;
      const lazy = workload("lazy", { ports: [], discovery: "on-demand", vips: "loopback" });
      const newState = () => sampleState({ yaml, workloads: [lazy] });
      const mesh = cleanup.use(await RelayedMesh.start(kind, newState(), "lazy-1"));
      const call = (name: string): Caller => {
        const [vip] = mesh.state.next().snapshot.services.get(`${name}.test`)?.[0]?.addresses ?? [];
        assert.ok(vip);
        const caller = new Caller(vip.replace(/^240/, "127"));
        cleanup.defer(() => void caller.socket.destroy());
        return caller;
      };
      const clusters = (): string =>
        mesh
          .clusters(ID, TYPE_URL.cluster)
          .flatMap((name) => /\|([a-z]+)\.test$/.exec(name)?.[1] ?? [])
          .sort()
          .join(" ");
      return { mesh, call, clusters, newState, [Symbol.asyncDispose]: () => cleanup.disposeAsync() };
    }

    test("a first connection waits for its cluster, and one that is open stays as others come", async () => {
      await using it = await start();
      const { call, clusters } = it;
      assert.equal(clusters(), "");
      const db = call("db");
      await db.hears("db\n");
      assert.equal(clusters(), "db");
      const queue = call("queue");
      await queue.hears("queue\n");
      assert.equal(clusters(), "db queue");
      db.socket.write("still there\n");
      await db.hears("still there\n");
      assert.equal(db.closed, false);
    });

    test("what a VirtualService leads to is asked for, and not the service itself", async () => {
      await using it = await start();
      const { call, clusters } = it;
      await call("never").hears("cache\n");
      assert.equal(clusters(), "cache");
    });

    test("without the server what has been called works on, for a data plane that starts anew too", async () => {
      await using it = await start();
      const { mesh, call } = it;
      await call("db").hears("db\n");
      mesh.serverDown();
      await call("db").hears("db\n");
      await mesh.stopDataPlane();
      await mesh.startDataPlane();
      await call("db").hears("db\n");
    });

    test("another server learns from the agent what has been asked for, and no connection is lost", async () => {
      await using it = await start();
      const { mesh, call, clusters, newState } = it;
      const db = call("db");
      await db.hears("db\n");
      await mesh.replaceServer(newState());
      await eventually("the new server has the cluster", () => clusters() === "db");
      await call("queue").hears("queue\n");
      db.socket.write("still there\n");
      await db.hears("still there\n");
      await call("db").hears("db\n");
    });
  });
}
