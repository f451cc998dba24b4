import type { StoredObject } from "../../mesh/model/object.ts";
import type {
  CustomTag,
  ProviderFormat,
  TelemetryProvider,
  WorkloadMode,
} from "../../mesh/model/telemetry.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

/** One side of a workload's calls. */
type Side = Exclude<WorkloadMode, "CLIENT_AND_SERVER">;

export interface EffectiveLog {
  readonly provider: TelemetryProvider;
  /** A CEL expression; undefined: everything is written. */
  readonly filter: string | undefined;
}

export interface EffectiveTracing {
  readonly provider: TelemetryProvider;
  /** 0 to 100. */
  readonly sampling: number;
  readonly customTags: readonly CustomTag[];
}

/** What is told of the calls of a workload. */
export interface EffectiveTelemetry {
  readonly logs: readonly EffectiveLog[];
  readonly tracing: EffectiveTracing | undefined;
}

/** Istio's, where nobody says. */
const DEFAULT_SAMPLING = 1;

/** The log that there is without any entry of `extensionProviders`, as in Istio; MeshConfig may give its file and format. */
const MESH_LOG = "envoy";
const STDOUT = "/dev/stdout";
const ISTIO_FORMAT: ProviderFormat = { text: "", labels: undefined, omitEmptyValues: false };

/**
 * What holds for one side of a workload: its own Telemetry over its namespace's, over the root namespace's, over
 * MeshConfig; field by field. The oldest of a scope counts; only in the workload's own namespace is there a selector that
 * selects. `unknown` is told the names of providers that there are not.
 */
export function telemetryFor(
  view: SnapshotView,
  workload: Pick<WorkloadConfig, "namespace" | "labels">,
  side: Side,
  unknown: (telemetry: StoredObject<"Telemetry">, provider: string) => void = () => {},
): EffectiveTelemetry {
  const levels = levelsFor(view, workload);
  return { logs: logsOf(view, levels, side, unknown), tracing: tracingOf(view, levels, side, unknown) };
}

type Level = StoredObject<"Telemetry">;
type Unknown = (telemetry: Level, provider: string) => void;

/** Widest first. */
function levelsFor(
  view: SnapshotView,
  { namespace, labels }: Pick<WorkloadConfig, "namespace" | "labels">,
): readonly Level[] {
  const { rootNamespace } = view.settings;
  const own = view.telemetries(namespace);
  const general = (one: Level): boolean => Object.keys(one.spec.selector).length === 0;
  const levels = [
    view.telemetries(rootNamespace).find(general),
    namespace === rootNamespace ? undefined : own.find(general),
    own.find((one) => !general(one) && selects(one.spec.selector, labels)),
  ];
  return levels.filter((level) => level !== undefined);
}

function counts(mode: WorkloadMode, side: Side): boolean {
  return mode === "CLIENT_AND_SERVER" || mode === side;
}

function logsOf(
  view: SnapshotView,
  levels: readonly Level[],
  side: Side,
  unknown: Unknown,
): readonly EffectiveLog[] {
  const { accessLog, defaultProviders } = view.settings.mesh;
  const logs = new Map<string, { filter: string | undefined; disabled: boolean }>();
  const off = { filter: undefined, disabled: false };
  for (const name of defaultProviders.accessLogging) logs.set(name, off);
  if (logs.size === 0 && accessLog !== undefined) logs.set(MESH_LOG, off);
  for (const level of levels) {
    const said = level.spec.accessLogging.filter(({ mode }) => counts(mode, side));
    const named = said.flatMap(({ providers }) => providers);
    for (const name of named) if (providerNamed(view, name) === undefined) unknown(level, name);
    // Who names providers means them instead of those that are inherited.
    if (named.length > 0) for (const name of logs.keys()) if (!named.includes(name)) logs.delete(name);
    for (const { providers, disabled, filter } of said) {
      for (const name of providers.length > 0 ? providers : [...logs.keys()]) {
        const before = logs.get(name) ?? off;
        logs.set(name, { filter: filter ?? before.filter, disabled: disabled ?? before.disabled });
      }
    }
  }
  return [...logs].flatMap(([name, { filter, disabled }]) => {
    const provider = disabled ? undefined : providerNamed(view, name);
    const isLog = provider?.kind === "file-log" || provider?.kind === "otel-log";
    return provider !== undefined && isLog ? [{ provider, filter }] : [];
  });
}

function tracingOf(
  view: SnapshotView,
  levels: readonly Level[],
  side: Side,
  unknown: Unknown,
): EffectiveTracing | undefined {
  let [name = ""] = view.settings.mesh.defaultProviders.tracing;
  let sampling = DEFAULT_SAMPLING;
  let disabled = false;
  let customTags: readonly CustomTag[] = [];
  for (const level of levels) {
    for (const said of level.spec.tracing.filter(({ mode }) => counts(mode, side))) {
      const [named] = said.providers;
      if (named !== undefined && providerNamed(view, named) === undefined) unknown(level, named);
      name = named ?? name;
      sampling = said.randomSamplingPercentage ?? sampling;
      disabled = said.disableSpanReporting ?? disabled;
      customTags = said.customTags ?? customTags;
    }
  }
  const provider = disabled ? undefined : providerNamed(view, name);
  if (provider?.kind !== "zipkin" && provider?.kind !== "opentelemetry") return undefined;
  return { provider, sampling, customTags };
}

function providerNamed(view: SnapshotView, name: string): TelemetryProvider | undefined {
  const { telemetryProviders, accessLog } = view.settings.mesh;
  const found = telemetryProviders.find((one) => one.name === name);
  if (found !== undefined || name !== MESH_LOG) return found;
  const path = accessLog?.file ?? STDOUT;
  return { kind: "file-log", name, path, format: accessLog ? meshFormat(accessLog) : ISTIO_FORMAT };
}

/** In JSON the format is an object of fields; what is none is not a format. */
function meshFormat({
  format,
  encoding,
}: NonNullable<SnapshotView["settings"]["mesh"]["accessLog"]>): ProviderFormat {
  if (encoding === "TEXT") return { text: format, labels: undefined, omitEmptyValues: false };
  return { text: "", labels: parseLabels(format) ?? {}, omitEmptyValues: false };
}

function parseLabels(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
