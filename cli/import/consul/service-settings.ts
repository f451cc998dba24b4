import type { ConfigEntries } from "./config-entries.ts";
import { type Loss, type Manifest, manifest, type Translation } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";

const MODES: Readonly<Record<string, string>> = { strict: "STRICT", permissive: "PERMISSIVE" };

/** What a service says of its own inbound calls: mutual TLS, how many connections, which protocol. */
export function translateSettings({ defaults, proxyDefaults }: ConfigEntries, home: string): Translation {
  const losses: Loss[] = [];
  const ofServices = defaults.flatMap((entry): readonly Manifest[] => {
    const { Name: service, Protocol: protocol, MutualTLSMode: mode, MaxInboundConnections: most } = entry;
    const metadata = { name: objectName(service), namespace: namespaceOf(entry.Namespace, home) };
    const labels = { app: service };
    if (protocol !== undefined) losses.push(protocolLoss("service-defaults", service, "Protocol", protocol));
    const limit = { workloadSelector: { labels }, inboundConnectionPool: { tcp: { maxConnections: most } } };
    return [
      ...mutualTls(metadata, mode, { selector: { matchLabels: labels } }),
      ...(most === undefined ? [] : [manifest("networking", "Sidecar", metadata, limit)]),
    ];
  });
  const ofAll = proxyDefaults.flatMap(({ Name, Config, MutualTLSMode }) => {
    const protocol = Config?.protocol;
    if (protocol !== undefined)
      losses.push(protocolLoss("proxy-defaults", Name, "Config.protocol", protocol));
    return mutualTls({ name: "default", namespace: home }, MutualTLSMode, {});
  });
  return { manifests: [...ofAll, ...ofServices], losses };
}

function mutualTls(
  metadata: Manifest["metadata"],
  written: string | undefined,
  selector: Readonly<Record<string, unknown>>,
): readonly Manifest[] {
  const mode = MODES[written ?? ""];
  if (mode === undefined) return [];
  return [manifest("security", "PeerAuthentication", metadata, { ...selector, mtls: { mode } })];
}

function protocolLoss(kind: string, name: string, field: string, protocol: string): Loss {
  const whose = kind === "service-defaults" ? "the service" : "the services";
  const meaning = `a port's protocol is said where it is registered: give ${whose} the meta lateen-protocol=${protocol}, or it is found out`;
  return { kind, name, field, meaning };
}
