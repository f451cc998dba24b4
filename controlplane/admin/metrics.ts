import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ProxyStatusType, RegistryReply } from "../../mesh/admin-api/replies.ts";
import { SERVER_METRICS as NAMES } from "../../mesh/telemetry/metric-names.ts";
import type { JoinOutcome } from "../attest/join-agent.ts";

/** Buckets of Istio's convergence histogram, in seconds, with two finer ones below. */
const CONVERGENCE_BUCKETS_S = [0.01, 0.03, 0.1, 0.5, 1, 3, 5, 10, 20, 30];

/** Istio's short names of the xDS types, as its dashboards select them. */
const XDS_TYPE: Readonly<Record<ProxyStatusType, string>> = {
  listener: "lds",
  route: "rds",
  cluster: "cds",
  endpoint: "eds",
  secret: "sds",
  extension: "ecds",
  "virtual-host": "vhds",
  "host-name": "nds",
};

/** What is true now; read at each scrape. */
export interface MetricSources {
  readonly version: string;
  readonly connections: () => number;
  readonly services: () => number;
  readonly workloads: () => number;
  /** Stored objects by kind. */
  readonly objects: () => Readonly<Record<string, number>>;
  readonly registries: () => readonly RegistryReply[];
  /** Milliseconds since the epoch. */
  readonly rootExpiry: () => number;
  readonly auditLost: () => number;
}

/** What the server's parts tell as it happens, and the text for Prometheus. */
export interface ServerMetrics {
  pushed(type: ProxyStatusType): void;
  rejected(type: ProxyStatusType): void;
  /** Milliseconds from a change to one data plane's ACK. */
  converged(ms: number): void;
  certificateRequested(): void;
  certificateIssued(): void;
  certificateRefused(): void;
  joined(outcome: JoinOutcome): void;
  text(): Promise<string>;
}

export interface MetricOptions {
  /** Also tell each metric under the name that Istio's dashboards look for. */
  readonly istioAliases: boolean;
  /** Node's and the process' own metrics; off in tests, where the process is not a server's. */
  readonly processMetrics: boolean;
}

export function createServerMetrics(sources: MetricSources, options: MetricOptions): ServerMetrics {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const define = definers(registry, options.istioAliases);

  defineGauges(define, sources);
  const pushes = define.counter(NAMES.pushes, ["type"]);
  const rejections = define.counter(NAMES.rejections, ["type"]);
  const requested = define.counter(NAMES.certificateRequests);
  const issued = define.counter(NAMES.certificatesIssued);
  const refused = define.counter(NAMES.certificatesRefused);
  const joins = define.counter(NAMES.joins, ["outcome"]);
  const converged = define.histogram(NAMES.convergence, CONVERGENCE_BUCKETS_S);

  return {
    pushed: (type) => pushes({ type: XDS_TYPE[type] }),
    rejected: (type) => rejections({ type: XDS_TYPE[type] }),
    converged: (ms) => converged(ms / 1_000),
    certificateRequested: () => requested({}),
    certificateIssued: () => issued({}),
    certificateRefused: () => refused({}),
    joined: (outcome) => joins({ outcome }),
    text: () => registry.metrics(),
  };
}

function defineGauges(define: Definers, sources: MetricSources): void {
  define.gauge(NAMES.connections, [], () => [[{}, sources.connections()]]);
  define.gauge(NAMES.services, [], () => [[{}, sources.services()]]);
  define.gauge(NAMES.workloads, [], () => [[{}, sources.workloads()]]);
  define.gauge(NAMES.objects, ["kind"], () =>
    Object.entries(sources.objects()).map(([kind, count]) => [{ kind }, count]),
  );
  define.gauge(NAMES.virtualServices, [], () => [[{}, sources.objects()["VirtualService"] ?? 0]]);
  define.gauge(NAMES.registryCurrent, ["registry"], () =>
    sources.registries().map(({ name, state }) => [{ registry: name }, state === "current" ? 1 : 0]),
  );
  define.gauge(NAMES.rootExpiry, [], () => [[{}, sources.rootExpiry() / 1_000]]);
  define.gauge(NAMES.auditLost, [], () => [[{}, sources.auditLost()]]);
  define.gauge(NAMES.build, ["version"], () => [[{ version: sources.version }, 1]]);
}

type Labels = Readonly<Record<string, string>>;

interface Name {
  readonly name: string;
  readonly help: string;
  readonly istio?: string;
}

interface Definers {
  counter(name: Name, labels?: readonly string[]): (labels: Labels) => void;
  histogram(name: Name, buckets: readonly number[]): (seconds: number) => void;
  gauge(name: Name, labels: readonly string[], read: () => readonly (readonly [Labels, number])[]): void;
}

/** Each metric under its own name and, when asked for, under Istio's: one definition, so that the two never differ. */
function definers(registry: Registry, istioAliases: boolean): Definers {
  const registers = [registry];
  const named = ({ name, help, istio }: Name): readonly { readonly name: string; readonly help: string }[] =>
    istio === undefined || !istioAliases
      ? [{ name, help }]
      : [
          { name, help },
          { name: istio, help },
        ];
  return {
    counter(name, labels = []) {
      const counters = named(name).map(
        (each) => new Counter({ ...each, labelNames: [...labels], registers }),
      );
      return (values) => counters.forEach((counter) => counter.inc({ ...values }));
    },
    histogram(name, buckets) {
      const histograms = named(name).map(
        (each) => new Histogram({ ...each, buckets: [...buckets], registers }),
      );
      return (seconds) => histograms.forEach((histogram) => histogram.observe(seconds));
    },
    gauge(name, labels, read) {
      for (const each of named(name)) {
        const gauge: Gauge = new Gauge({
          ...each,
          labelNames: [...labels],
          registers,
          collect: () => {
            gauge.reset();
            for (const [values, value] of read()) gauge.set({ ...values }, value);
          },
        });
      }
    },
  };
}
