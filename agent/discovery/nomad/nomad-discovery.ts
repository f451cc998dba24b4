import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import { QUERY_TIMING, type QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { runTasks } from "../../../mesh/lifecycle/run-tasks.ts";
import { workloadId } from "../../../mesh/model/workload.ts";
import { AllocationChecks, type CheckTiming } from "../../../mesh/nomad/allocation-checks.ts";
import { allocationOf, hasEnded, type NomadAllocation } from "../../../mesh/nomad/nomad-allocation.ts";
import type { NomadClient } from "../../../mesh/nomad/nomad-client.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { logFindings } from "../../host/log-findings.ts";
import { Wake } from "../../state/changes.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { NOTHING_SETTLED, type SettledServices, settle } from "../settled-services.ts";
import { NodeServices, type NodeTiming } from "./node-services.ts";
import { nomadFinding, portsFinding, tagsFinding } from "./nomad-findings.ts";
import { placesOf, toLocalService } from "./to-local-service.ts";

export interface NomadDiscoveryOptions {
  /** Of the Nomad agent on this host. */
  readonly client: NomadClient;
  /** This host's node in Nomad; undefined: the agent that is asked says it. */
  readonly nodeId: string | undefined;
  /** Only services that are registered at this address; undefined: all of the node. */
  readonly address: string | undefined;
  /** What this host's jobs register in Consul; undefined: that is not looked at. */
  readonly consul: Discovery | undefined;
  /** The host's own address towards another one; undefined: there is no way. */
  readonly routedAddress: (towards: string) => Promise<string | undefined>;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly timing?: Partial<QueryTiming & CheckTiming & NodeTiming>;
}

/**
 * The services of this node's allocations that want to be in the mesh (`lateen.inject=true`): Nomad's own, and where
 * `consul` is given those that jobs register there. An outage keeps the last set; what is the matter is in `findings`.
 */
export class NomadDiscovery implements Discovery {
  readonly name = "nomad";
  readonly #options: NomadDiscoveryOptions;
  readonly #timing: QueryTiming & CheckTiming & NodeTiming;
  readonly #wake = new Wake();
  readonly #checks: AllocationChecks;
  readonly #node: NodeServices;
  #inConsul: readonly LocalService[] | undefined;
  #settled: SettledServices = NOTHING_SETTLED;
  #settledNode: string | undefined;
  #findings: readonly HostFinding[] = [];

  constructor(options: NomadDiscoveryOptions) {
    this.#options = options;
    this.#timing = { ...QUERY_TIMING, checksMs: 3_000, nodeMs: 300_000, ...options.timing };
    this.#node = new NodeServices({ ...options, timing: this.#timing, changed: () => this.#wake.raise() });
    this.#checks = new AllocationChecks({
      ...options,
      timing: this.#timing,
      allocations: () => this.#node.allocations(),
      changed: () => this.#wake.raise(),
      told: () => {},
    });
  }

  get findings(): readonly HostFinding[] {
    return [...this.#findings, ...(this.#options.consul?.findings ?? [])];
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const stop = new AbortController();
    const linked = AbortSignal.any([signal, stop.signal]);
    const running = runTasks(
      linked,
      (inner) => this.#node.run(inner),
      (inner) => this.#checks.run(inner),
      (inner) => this.#followConsul(inner),
    ).finally(() => stop.abort());
    running.catch(() => undefined);
    let told: string | undefined;
    try {
      while (!linked.aborted) {
        await this.#wake.wait(linked);
        if (linked.aborted) break;
        const services = await this.#look();
        const text = JSON.stringify(services);
        if (services === undefined || text === told) continue;
        told = text;
        yield services;
      }
    } finally {
      stop.abort();
      await running;
    }
  }

  async #followConsul(signal: AbortSignal): Promise<void> {
    const { consul } = this.#options;
    if (consul === undefined) return;
    for await (const services of consul.watch(signal)) {
      this.#inConsul = services;
      this.#wake.raise();
    }
  }

  /** Undefined until all that is there has been told. */
  async #look(): Promise<readonly LocalService[] | undefined> {
    const { address, consul, logger } = this.#options;
    const before = this.#findings;
    const { services, refused, findings } = await this.#ownServices();
    const { failure, dynamicPorts, recovered, nodeId } = this.#node.facts();
    this.#findings = [
      ...(failure === undefined ? [] : [nomadFinding(failure)]),
      ...(dynamicPorts === undefined ? [] : [portsFinding(dynamicPorts)]),
      ...findings,
    ];
    logFindings(logger, this.#findings, before);
    if (!this.#node.complete || (consul !== undefined && this.#inConsul === undefined)) return undefined;
    // What another node had is not this one's: nothing of it is held.
    if (nodeId !== this.#settledNode) this.#settled = NOTHING_SETTLED;
    this.#settledNode = nodeId;
    const here = services.filter((one) => address === undefined || one.address.address === address);
    this.#settled = settle(this.#withoutEnded(), { services: here, refused }, recovered);
    const own = this.#settled.services;
    return [...own, ...this.#fromConsul(own)].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** What is gone because its allocation has ended, as Nomad says, is not held after an outage. */
  #withoutEnded(): SettledServices {
    const goesOn = ({ catalog }: LocalService): boolean => {
      const allocation = this.#node.allocation(allocationOf(catalog?.instanceId ?? "") ?? "");
      return allocation === undefined || !hasEnded(allocation);
    };
    return { services: this.#settled.services.filter(goesOn), held: this.#settled.held.filter(goesOn) };
  }

  async #ownServices(): Promise<{
    readonly services: readonly LocalService[];
    readonly refused: ReadonlyMap<string, boolean>;
    readonly findings: readonly HostFinding[];
  }> {
    const services: LocalService[] = [];
    const refused = new Map<string, boolean>();
    const findings: HostFinding[] = [];
    for (const { registration, allocation } of this.#node.wanted()) {
      const near = await this.#hostAddressNear(allocation);
      const healthy = this.#checks.isHealthy(allocation.id, registration.service);
      const { service, violations } = toLocalService(registration, {
        allocation,
        healthy,
        hostAddressNear: () => near,
      });
      const workload = workloadId(
        service ? { ...service, name: service.id } : { ...registration, name: registration.id },
      );
      if (violations.length > 0) findings.push(tagsFinding(workload, violations, service === undefined));
      if (service === undefined) refused.set(registration.id, healthy);
      else services.push(service);
    }
    return { services, refused, findings };
  }

  async #hostAddressNear({ address }: NomadAllocation): Promise<string | undefined> {
    return address === undefined ? undefined : await this.#options.routedAddress(address);
  }

  /** One that is registered in both catalogs is served once, as Nomad's own. */
  #fromConsul(own: readonly LocalService[]): readonly LocalService[] {
    const known = new Set(own.map(placeKey));
    return (this.#inConsul ?? []).flatMap((service) => {
      const allocation = this.#node.allocation(allocationOf(serviceIdOf(service)) ?? "");
      const placed =
        allocation === undefined
          ? service
          : { ...service, ...placesOf(service.address, service.app, allocation) };
      return known.has(placeKey(placed)) ? [] : [placed];
    });
  }
}

function placeKey({ service, address }: LocalService): string {
  return `${service} ${address.address} ${address.port}`;
}

/** Of `node/_nomad-task-…`. */
function serviceIdOf({ id, catalog }: LocalService): string {
  return catalog === undefined ? id : catalog.instanceId.slice(catalog.instanceId.indexOf("/") + 1);
}
