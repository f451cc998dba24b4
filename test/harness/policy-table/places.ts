import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Call } from "../../../controlplane/simulate/call.ts";
import { simulate } from "../../../controlplane/simulate/simulate.ts";
import { configOf } from "../../../controlplane/simulate/testing/json-config.ts";
import type { XdsConfig } from "../../../controlplane/simulate/xds-config.ts";
import type { JsonValue } from "../../../mesh/xds/json.ts";
import { StaticEnvoy } from "../static-envoy.ts";
import { mintRoot, mintSvid } from "../test-certificates.ts";
import { freePorts, TestProxy } from "../test-proxy.ts";
import { certificateSecret, rootsSecret } from "../xds-samples.ts";
import { Caller, HTTP_ALPN, headersOf, spiffeId, TCP_ALPN } from "./ask.ts";
import type { Answer, Ask, PlaceName, PolicyCase } from "./case.ts";
import { ADDRESS, applicationCluster, type Json, listenerFor, type NamedJson } from "./resources.ts";

/** Somewhere that policies are enforced, or that enforcing them is foretold. */
export interface Place extends AsyncDisposable {
  readonly name: PlaceName;
  ask(policies: PolicyCase, ask: Ask): Promise<Answer>;
}

/** The same listeners in each place that there is, one for every case. */
export class Places implements AsyncDisposable {
  readonly all: readonly Place[];
  readonly #stack: AsyncDisposableStack;

  private constructor(all: readonly Place[], stack: AsyncDisposableStack) {
    this.all = all;
    this.#stack = stack;
  }

  static async start(cases: readonly PolicyCase[], { envoy }: { readonly envoy: boolean }): Promise<Places> {
    await using stack = new AsyncDisposableStack();
    const apps = { http: await application("http", stack), tcp: await application("tcp", stack) };
    const appOf = ({ protocol = "http" }: PolicyCase): number => apps[protocol];
    const numbers = await freePorts(3 * cases.length);
    const listeners = (place: number): Listeners => {
      const own = numbers.slice(place * cases.length);
      const ports = new Map(cases.map((one, index) => [one, own[index] ?? 0]));
      return {
        ports,
        json: cases.map((one) => listenerFor(one, ports.get(one) ?? 0, appOf(one))),
        clusters: [applicationCluster("http", apps.http), applicationCluster("tcp", apps.tcp)],
      };
    };
    const root = mintRoot();
    const secrets: readonly Secret[] = [
      { ...certificateSecret(mintSvid(root, spiffeId("default/server"))), name: "default" },
      { ...rootsSecret(root.pem), name: "ROOTCA" },
    ];
    const caller = new Caller(root);
    const all: Place[] = [stack.use(simulator(listeners(0)))];
    all.push(stack.use(await builtinProxy(listeners(1), secrets, caller)));
    if (envoy) all.push(stack.use(await realEnvoy(listeners(2), secrets, caller)));
    return new Places(all, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface Listeners {
  readonly ports: ReadonlyMap<PolicyCase, number>;
  readonly json: readonly NamedJson[];
  readonly clusters: readonly NamedJson[];
}

type Secret = Record<string, JsonValue> & { readonly name: string };

function simulator({ ports, json, clusters }: Listeners): Place {
  const config: XdsConfig = configOf({ listeners: json, clusters });
  return {
    name: "simulator",
    // oxlint-disable-next-line typescript/require-await
    async ask(policies, ask) {
      const { outcome } = simulate(config, callOf(policies, ask, ports.get(policies) ?? 0), {
        nowMs: Date.now(),
      });
      if (outcome.kind === "error") return (outcome.error.status ?? 0) as Answer;
      return outcome.kind === "forward" ? 200 : 0;
    },
    async [Symbol.asyncDispose]() {},
  };
}

function callOf({ protocol = "http" }: PolicyCase, ask: Ask, port: number): Call {
  const { as, from = ADDRESS, sni = "", method = "GET", path = "/", host = "server" } = ask;
  return {
    address: ADDRESS,
    port,
    protocol,
    tls: as === undefined ? undefined : { sni, alpn: protocol === "http" ? HTTP_ALPN : TCP_ALPN },
    method,
    host,
    path,
    headers: headersOf(ask),
    source: { address: from, port: undefined, principal: as === undefined ? undefined : spiffeId(as) },
    direction: "inbound",
    hidden: undefined,
  };
}

async function builtinProxy(
  { ports, json, clusters }: Listeners,
  secrets: readonly Secret[],
  caller: Caller,
): Promise<Place> {
  const proxy = await TestProxy.start({ name: "server-1" });
  for (const cluster of clusters) proxy.ads.set("cluster", cluster.name, { ...cluster });
  for (const secret of secrets) proxy.ads.set("secret", secret.name, secret);
  for (const listener of json) proxy.ads.set("listener", listener.name, { ...listener });
  await proxy.ready();
  const refused = proxy.ads.nacks;
  if (refused.length > 0) throw new Error(`the built-in proxy refuses: ${refused.join("\n")}`);
  return {
    name: "built-in proxy",
    ask: async (policies, ask) => await call(caller, policies, ports, ask),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

async function realEnvoy(
  { ports, json, clusters }: Listeners,
  secrets: readonly Secret[],
  caller: Caller,
): Promise<Place> {
  const envoy = await StaticEnvoy.start(json.map(withStaticSecrets), clusters, secrets);
  return {
    name: "Envoy",
    ask: async (policies, ask) => await call(caller, policies, ports, ask),
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}

async function call(
  caller: Caller,
  policies: PolicyCase,
  ports: Listeners["ports"],
  ask: Ask,
): Promise<Answer> {
  return await caller[policies.protocol ?? "http"](ports.get(policies) ?? 0, ask);
}

/** Secrets of the bootstrap are found by their name alone. */
function withStaticSecrets(listener: Json): Json {
  return JSON.parse(
    JSON.stringify(listener, (key, value: unknown) => (key === "sdsConfig" ? undefined : value)),
  ) as Json;
}

async function application(protocol: "http" | "tcp", stack: AsyncDisposableStack): Promise<number> {
  const server: Server =
    protocol === "http"
      ? createHttpServer((_request, response) => response.end())
      : createServer((socket) => {
          socket.on("error", () => {});
          socket.pipe(socket);
        });
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  stack.defer(async () => await new Promise<void>((resolve) => server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}
