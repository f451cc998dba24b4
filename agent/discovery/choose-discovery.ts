import { consulClient } from "../../mesh/consul/consul-client.ts";
import { toReading } from "../../mesh/consul/consul-config.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type NomadClient, nomadClient } from "../../mesh/nomad/nomad-client.ts";
import type { NomadSettings } from "../../mesh/nomad/nomad-settings.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AgentConfig } from "../config.ts";
import { routeTowards } from "../host/address-towards.ts";
import { ConsulDiscovery } from "./consul/consul-discovery.ts";
import { type Discovery, noDiscovery } from "./discovery.ts";
import { FileDiscovery } from "./file/file-discovery.ts";
import { NomadDiscovery } from "./nomad/nomad-discovery.ts";
import type { Environment } from "./sidecar/allocation-environment.ts";
import { sidecarDiscovery } from "./sidecar/sidecar-discovery.ts";
import { sidecarServices } from "./sidecar/sidecar-services.ts";

interface DiscoveryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly ownAddress: string;
  readonly environment: Environment;
}

export interface ChosenDiscovery extends AsyncDisposable {
  readonly source: Discovery;
}

/** The source of this host's services, as the configuration says. Throws `config.invalid`. */
export async function chooseDiscovery(config: AgentConfig, deps: DiscoveryDeps): Promise<ChosenDiscovery> {
  const { address, stateDir, loopback, discovery } = config;
  const { ownAddress, environment, ...seams } = deps;
  await using closing = new AsyncDisposableStack();
  const consul = (): Discovery => {
    const { consul: at, tokenFile, tls, namespaces, optOut, connectProxies } = discovery;
    const client = closing.use(consulClient({ address: at, tokenFile, tls }));
    const reading = toReading(discovery, optOut);
    const adoptsSidecars = connectProxies === "adopt";
    return new ConsulDiscovery({ ...seams, client, address, namespaces, reading, adoptsSidecars, stateDir });
  };
  const choose = async (): Promise<Discovery> => {
    switch (discovery.kind) {
      case "consul":
        return consul();
      case "file":
        return new FileDiscovery({ ...seams, path: discovery.path, address, ownAddress, stateDir });
      case "sidecar":
        return sidecarDiscovery(sidecarServices(discovery.sidecar, environment, loopback));
      case "nomad": {
        const { nodeId, withConsul, ...settings } = discovery.nomad;
        const client = closing.use(await openNomad(settings));
        const beside = withConsul ? consul() : undefined;
        return new NomadDiscovery({
          ...seams,
          client,
          nodeId,
          address,
          consul: beside,
          routedAddress: routeTowards,
        });
      }
      case "none":
        return noDiscovery;
      default:
        return discovery.kind satisfies never;
    }
  };
  const source = await choose();
  const open = closing.move();
  return { source, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function openNomad(settings: NomadSettings): Promise<NomadClient> {
  try {
    return await nomadClient(settings);
  } catch (cause) {
    throw new MeshError("config.invalid", `use discovery.nomad: ${messageOf(cause)}`, { cause });
  }
}
