import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { afterEach, test } from "node:test";
import type { LocalService } from "../discovery/discovery.ts";
import { readHostPorts } from "./read-host-ports.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(address: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const place = server.address();
  return typeof place === "object" && place ? place.port : 0;
}

function service(address: string, port: number): LocalService {
  return {
    id: "a",
    service: "a",
    namespace: "default",
    serviceAccount: "a",
    address: { address, port },
    app: undefined,
    servicePort: port,
    protocol: "http",
    labels: {},
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    network: "",
    discovery: undefined,
    interception: "none",
    owner: undefined,
    httpProxy: undefined,
    vips: false,
    mtls: undefined,
    catalog: undefined,
    group: undefined,
    probe: undefined,
  };
}

test("an application at the service's address, or on loopback at its port, is seen with its process", async () => {
  for (const address of ["127.0.0.2", "127.0.0.3"]) {
    const port = await listen(address);
    const ports = await readHostPorts([service("127.0.0.2", port)], "127.0.0.3", new Set());
    assert.equal(ports.foreign({ address, port })?.holder?.pid, process.pid);
  }
});

test("a socket of this agent's data planes is nobody's application", async () => {
  const port = await listen("127.0.0.2");
  const ports = await readHostPorts([service("127.0.0.2", port)], "127.0.0.3", new Set([process.pid]));
  assert.equal(ports.foreign({ address: "127.0.0.2", port }), undefined);
});

test("nor is one of the process that one of them has started to take its place", async () => {
  const port = await listen("127.0.0.2");
  const ports = await readHostPorts([service("127.0.0.2", port)], "127.0.0.3", new Set([process.ppid]));
  assert.equal(ports.foreign({ address: "127.0.0.2", port }), undefined);
});

test("a socket that is gone by the end of the look was a process that was just ending, and no application", async () => {
  const place = { address: "127.0.0.2", port: 9080 };
  const looks = [[{ ...place, inode: "no such inode", uid: 1000 }], []];
  const look = async (): Promise<{ address: string; port: number; inode: string; uid: number }[]> =>
    looks.shift() ?? [];
  const ports = await readHostPorts([service(place.address, place.port)], "127.0.0.3", new Set(), look);
  assert.equal(ports.foreign(place), undefined);
});

test("a socket whose process this user may not see counts as somebody's, as long as it is there", async () => {
  const place = { address: "127.0.0.2", port: 9080 };
  const look = async (): Promise<{ address: string; port: number; inode: string; uid: number }[]> => [
    { ...place, inode: "no such inode", uid: 1000 },
  ];
  const ports = await readHostPorts([service(place.address, place.port)], "127.0.0.3", new Set(), look);
  assert.equal(ports.foreign(place)?.inode, "no such inode");
});
