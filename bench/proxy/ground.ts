import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { type DataPlaneKind, type Mesh, startMesh } from "../../test/harness/mesh.ts";
import { loopbackGround } from "../../test/harness/mesh-ground.ts";
import { bindPortOf, type HostSpec, portOf, protocolOf } from "../../test/harness/mesh-topology.ts";
import { startApplication } from "./nginx.ts";
import { PROXY_CORE, pin, residentKib } from "./processes.ts";
import { SHIPPED_PROXY } from "./shipped-proxy.ts";

const SERVICES = [
  { name: "web-1", service: "web", protocol: "http" },
  { name: "rpc-1", service: "rpc", protocol: "grpc" },
  { name: "bytes-1", service: "bytes", protocol: "tcp" },
] as const satisfies readonly HostSpec[];
const CALLER = { name: "caller-1", service: "caller" } as const;
const UPSTREAMS = { web: "web", rpc: "rpc", bytes: "bytes:9090" } as const;
type Service = keyof typeof UPSTREAMS;

/** What a default installation has on: mutual TLS, and here a rule about who may call. */
const policyOf = (service: Service): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${service} }
spec:
  selector: { matchLabels: { app: ${service} } }
  action: ALLOW
  rules: [{ from: [{ source: { namespaces: [default] } }] }]
`;

/** A mesh with one data plane: a caller and three services whose applications are never the limit. */
export class BenchMesh implements AsyncDisposable {
  readonly dataPlane: DataPlaneKind;
  readonly #mesh: Mesh;
  readonly #pids: ReadonlyMap<string, number>;

  private constructor(mesh: Mesh, pids: ReadonlyMap<string, number>) {
    this.#mesh = mesh;
    this.#pids = pids;
    this.dataPlane = mesh.dataPlane;
  }

  static async start(dataPlane: DataPlaneKind, folder: string): Promise<BenchMesh> {
    const ground = await loopbackGround(async (host) => {
      if (host.service === "caller") return { taken: () => 0, [Symbol.asyncDispose]: async () => {} };
      const at = `${host.loopback}:${portOf(host)}`;
      const app = await startApplication(
        folder,
        `${dataPlane}-${host.name}`,
        at,
        protocolOf(host) === "grpc",
      );
      return { taken: () => 0, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
    });
    const upstreams = SERVICES.map(({ service }) => UPSTREAMS[service]);
    const mesh = await startMesh({
      dataPlane,
      hosts: [{ ...CALLER, upstreams }, ...SERVICES],
      ground,
      proxyCommand: SHIPPED_PROXY,
    });
    await mesh.apply(SERVICES.map(({ service }) => policyOf(service)).join("---\n"));
    const pids = new Map<string, number>();
    for (const { spec } of mesh.hosts) {
      const { pid } = (await mesh.host(spec.name).serving()).dataPlane;
      if (pid === undefined) throw new Error(`${spec.name} has no data plane`);
      await pin(pid, PROXY_CORE);
      pids.set(spec.name, pid);
    }
    return new BenchMesh(mesh, pids);
  }

  /** As the caller's application has it: through both proxies. */
  through(service: Service): string {
    const { spec } = this.#mesh.host(CALLER.name);
    return `http://${spec.loopback}:${bindPortOf(spec, UPSTREAMS[service])}`;
  }

  /** As somebody outside the mesh has it: in plaintext, through the service's proxy alone. */
  plain(): string {
    const { spec } = this.#mesh.host("web-1");
    return `http://${spec.address}:${portOf(spec)}`;
  }

  /** As the application's own kernel has it, without a proxy. */
  direct(): string {
    const { spec } = this.#mesh.host("web-1");
    return `${spec.loopback}:${portOf(spec)}`;
  }

  pidOf(host: string): number {
    return this.#pids.get(host) ?? Number.NaN;
  }

  /** Of the proxies that a call to the service passes. */
  pids(service: Service, through: boolean): readonly number[] {
    return [...(through ? [this.pidOf(CALLER.name)] : []), this.pidOf(`${service}-1`)];
  }

  /** What an idle connection with mutual TLS costs the service's proxy, in KiB. */
  async idleConnectionKib(count: number): Promise<number> {
    const { spec } = this.#mesh.host("web-1");
    const { cert, key } = await this.#mesh.host(CALLER.name).svid();
    const secureContext = createSecureContext({ cert, key });
    const before = residentKib(this.pidOf("web-1"));
    const sockets: TLSSocket[] = [];
    try {
      for (let index = 0; index < count; index++) {
        const options = {
          host: spec.address,
          port: portOf(spec),
          secureContext,
          ALPNProtocols: ["istio-http/1.1"],
        };
        // Whose it is is not the question here.
        const socket = connect({ ...options, rejectUnauthorized: false });
        socket.on("error", () => undefined);
        sockets.push(socket);
        await once(socket, "secureConnect");
      }
      await delay(2000);
      return (residentKib(this.pidOf("web-1")) - before) / count;
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  }

  async allowPlaintext(): Promise<void> {
    await this.#mesh.apply(
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: web }\nspec:\n  selector: { matchLabels: { app: web } }\n  rules: [{ to: [{ operation: { methods: [GET] } }] }]\n",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mesh[Symbol.asyncDispose]();
  }
}
