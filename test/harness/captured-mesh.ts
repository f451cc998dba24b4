import { after, afterEach, before, describe, test } from "node:test";
import { VipAllocator } from "../../controlplane/snapshot/vip-allocator.ts";
import { CapturedGround, STRANGER } from "./captured-ground.ts";
import { eventually } from "./eventually.ts";
import { DATA_PLANES, type DataPlaneKind, type Mesh, startMesh } from "./mesh.ts";
import type { Reply, TcpReply } from "./mesh-calls.ts";
import type { HostSpec } from "./mesh-topology.ts";
import type { AppKind, NamespaceShell } from "./namespace-shell.ts";
import { skipWithout, skipWithoutNamespaces } from "./tools.ts";

/** Of a first line that is cut short, nobody can say yet that it is not HTTP's. */
const NO_HTTP = "hello there\n";

const SUITE_LIMIT_MS = 120_000;

/** A connection that an application makes, not knowing the mesh, and what becomes of it. */
export interface CapturedCall {
  /** The host that calls; default `caller`. */
  readonly from?: string;
  /**
   * `http://…`, `h2://…` (HTTP/2 with prior knowledge), `tcp://…`, `tls://…` (to `host`, by SNI) or `wait://…` (TCP, the
   * server speaks first), with `vip.web` (the address of service `web` of namespace default), `vip.web.shop` (of another
   * one), `web` (the address of host `web`) or an IP address.
   */
  readonly to: string;
  /** The host header, when it is not the address. */
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * `200 web as caller`: status, who answered, and as whom the application saw the caller, all as far as there are such.
   * `closed`: the connection was, without an answer. TCP: `store`.
   */
  readonly want: string;
}

/** A mesh of network namespaces, with calls as their applications make them. */
export class CapturedMesh {
  readonly mesh: Mesh;
  readonly #ground: CapturedGround;
  readonly #vips = new VipAllocator();

  constructor(mesh: Mesh, ground: CapturedGround) {
    this.mesh = mesh;
    this.#ground = ground;
  }

  shell = (host: string): NamespaceShell => this.#ground.shell(host);

  addressOf = (host: string): string => this.#ground.addressOf(host);

  /** Makes the calls one after the other, each until it ends as it should: an acknowledged listener may still be warming. */
  expect = async (...calls: readonly CapturedCall[]): Promise<void> => {
    for (const call of calls) {
      const { from = "caller", to, host, want } = call;
      let got = "";
      const question = `${from} calls ${to}${host === undefined ? "" : ` (${host})`}: ${want}`;
      await eventually(question, async () => {
        got = await this.outcome(call);
        return got === want;
      }).catch((error: unknown) => {
        throw new Error(`${question}, and not ${got}`, { cause: error });
      });
    }
  };

  /** What becomes of a call, in the words of `CapturedCall`. */
  async outcome({ from = "caller", to, host, headers }: Omit<CapturedCall, "want">): Promise<string> {
    const { protocol, hostname, port, pathname } = new URL(to);
    const address = this.#resolve(hostname);
    const shell = this.shell(from);
    const sent = { ...headers, ...(host === undefined ? {} : { host }) };
    switch (protocol) {
      case "http:":
        return told(await shell.http(`http://${address}:${port}`, pathname, { headers: sent }));
      case "h2:":
        return told(await shell.http2(`http://${address}:${port}`, host));
      case "tls:":
        return toldOfTcp(await shell.tls(address, Number(port), host ?? ""));
      default:
        return toldOfTcp(await shell.tcp(address, Number(port), protocol === "wait:" ? "" : NO_HTTP));
    }
  }

  #resolve(name: string): string {
    const [first = "", service = "", namespace = "default"] = name.split(".");
    if (first === "vip") return this.#vips.addressOf(`${service}.${namespace}.svc.cluster.local`);
    return this.addressOf(name) || name;
  }
}

function told({ status, failure, echo }: Reply): string {
  if (status === 0) return endOf(failure);
  const peer = /URI=spiffe:\/\/[^/]+\/ns\/[^/]+\/sa\/([^;,"]+)/.exec(
    String(echo?.headers["x-forwarded-client-cert"] ?? ""),
  )?.[1];
  return [String(status), ...(echo ? [echo.app] : []), ...(peer ? [`as ${peer}`] : [])].join(" ");
}

function toldOfTcp({ app, failure }: TcpReply): string {
  return app ?? endOf(failure);
}

function endOf(failure: string): string {
  return failure === "" || /ECONNRESET|socket hang up|socket disconnected before secure/.test(failure)
    ? "closed"
    : failure;
}

/** Defines a test of captured traffic. */
type CapturedTest = (name: string, run: (captured: CapturedMesh) => Promise<void>) => void;

interface CapturedOptions {
  readonly hosts: readonly HostSpec[];
  /** Ports of the stranger where an application named `outside` is. */
  readonly outside?: readonly (readonly [AppKind, number])[];
  /** Default: each. */
  readonly dataPlanes?: readonly DataPlaneKind[];
}

/**
 * Defines the same tests of captured traffic for each data plane: a mesh for all of them, whose objects are removed after
 * each.
 */
export function describeCaptured(
  title: string,
  { hosts, outside = [], dataPlanes = DATA_PLANES }: CapturedOptions,
  define: (capturedTest: CapturedTest) => void,
): void {
  for (const dataPlane of dataPlanes) {
    const missing = (dataPlane === "envoy" && skipWithout("envoy")) || skipWithoutNamespaces();
    describe(`${title}, ${dataPlane}`, { skip: missing, timeout: SUITE_LIMIT_MS }, () => {
      const stack = new AsyncDisposableStack();
      let captured: CapturedMesh | undefined;
      before(async () => {
        const ground = stack.use(await CapturedGround.open());
        for (const [kind, port] of outside)
          await ground.shell(STRANGER).serve(kind, "outside", "0.0.0.0", port);
        captured = new CapturedMesh(stack.use(await startMesh({ dataPlane, ground, hosts })), ground);
      });
      afterEach(async () => {
        await captured?.mesh.deleteAll();
      });
      after(async () => {
        await stack.disposeAsync();
      });
      define((name, run) => {
        test(name, async () => {
          if (captured === undefined) throw new Error("the mesh is not up");
          await run(captured);
        });
      });
    });
  }
}
