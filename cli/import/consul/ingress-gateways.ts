import type { ConfigEntries } from "./config-entries.ts";
import type { IngressGateway } from "./entry-schemas.ts";
import { destinations, httpRoutes } from "./http-routes.ts";
import { type Loss, type Manifest, manifest, said, type Translation } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";
import { byService, type Chain, chainOf, serviceKey, targetsOf } from "./service-targets.ts";

type Listener = IngressGateway["Listeners"][number];
type Exposed = Listener["Services"][number];

interface Surroundings {
  readonly entries: ConfigEntries;
  readonly chain: Chain;
  readonly namespace: string;
  readonly lose: (field: string, meaning: string) => void;
}

/** A Gateway for the listeners of an ingress gateway, and a VirtualService for each service that one exposes. */
export function translateIngress(entries: ConfigEntries, home: string): Translation {
  const losses: Loss[] = [];
  const chain = chainOf(entries.splitters, entries.resolvers, home);
  const manifests = entries.ingressGateways.flatMap((gateway): readonly Manifest[] => {
    const { Name: name, Listeners } = gateway;
    const lose = (field: string, meaning: string): void =>
      void losses.push({ kind: "ingress-gateway", name, field, meaning });
    const namespace = namespaceOf(gateway.Namespace, home);
    const around = { entries, chain, namespace, lose };
    const exposing = Listeners.map((listener) => ({
      listener,
      services: saidServices(listener, lose),
    })).filter(({ services }) => services.length > 0);
    if (exposing.length === 0) return [];
    lose(
      "",
      `runs as a gateway of an agent with labels { app: ${name} }: lateen agent, gateways (docs/config.md)`,
    );
    const servers = exposing.map(({ listener, services }) => serverOf(gateway, listener, services, around));
    const spec = { selector: { app: name }, servers };
    const routes = exposing.flatMap(({ listener, services }) =>
      services.map((service) => routesOf(gateway, listener, service, around)),
    );
    return [manifest("networking", "Gateway", { name: objectName(name), namespace }, spec), ...routes];
  });
  return { manifests, losses };
}

function saidServices({ Services }: Listener, lose: Surroundings["lose"]): readonly Exposed[] {
  return Services.filter(({ Name }) => {
    if (Name === "*")
      lose("Listeners[].Services[].Name", "`*` is no one service: name those that are to be seen");
    return Name !== "*";
  });
}

function isHttp({ Protocol }: Listener): boolean {
  return Protocol !== "tcp";
}

function hostsOf({ Name, Hosts }: Exposed): readonly string[] {
  return Hosts.length === 0 ? [`${Name}.ingress.consul`] : Hosts;
}

function serverOf(
  { Name, TLS }: IngressGateway,
  listener: Listener,
  services: readonly Exposed[],
  { namespace, lose }: Surroundings,
): Record<string, unknown> {
  const http = isHttp(listener);
  const secure = TLS?.Enabled === true || listener.TLS?.Enabled === true;
  const credentialName = `${objectName(Name)}-certificate`;
  const field = listener.TLS?.Enabled === true ? "Listeners[].TLS.Enabled" : "TLS.Enabled";
  if (secure)
    lose(
      field,
      `its certificate is no longer Consul's: make a Secret ${credentialName} in namespace ${namespace}`,
    );
  const protocol = http ? (secure ? "HTTPS" : listener.Protocol.toUpperCase()) : secure ? "TLS" : "TCP";
  return said({
    port: { number: listener.Port, name: `${http ? "http" : "tcp"}-${listener.Port}`, protocol },
    hosts: http ? [...new Set(services.flatMap(hostsOf))].map((host) => `./${host}`) : ["*"],
    tls: secure ? { mode: "SIMPLE", credentialName } : undefined,
  });
}

function routesOf(
  { Name }: IngressGateway,
  listener: Listener,
  exposed: Exposed,
  { entries, chain, namespace: home }: Surroundings,
): Manifest {
  const { Name: service } = exposed;
  const namespace = namespaceOf(exposed.Namespace, home);
  const port = listener.Port;
  const metadata = { name: objectName(`${Name}-${port}-${service}`), namespace: home };
  const gateways = [objectName(Name)];
  if (!isHttp(listener)) {
    const route = destinations(targetsOf(chain, { service, namespace, subset: undefined }), home);
    const spec = { hosts: ["*"], gateways, tcp: [{ match: [{ port }], route }] };
    return manifest("networking", "VirtualService", metadata, spec);
  }
  const router = byService(entries.routers, home).get(serviceKey(namespace, service));
  const { routes } = httpRoutes({ service, namespace }, router, { chain, home, edited: exposed });
  const http = routes.map((route) => ({ ...route, match: withPort(route["match"], port) }));
  return manifest("networking", "VirtualService", metadata, { hosts: hostsOf(exposed), gateways, http });
}

function withPort(match: unknown, port: number): readonly Record<string, unknown>[] {
  const [only] = (match ?? [{}]) as readonly Record<string, unknown>[];
  return [{ ...only, port }];
}
