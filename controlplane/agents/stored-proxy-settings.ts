import type { Workload } from "../../mesh/model/workload.ts";
import { ofKind } from "../offline/stored-objects.ts";
import { type ProxyConfigSource, proxyConfigFor } from "../policy/proxy-config.ts";
import { DEFAULT_SETTINGS, withMeshConfig } from "../snapshot/mesh-settings.ts";
import type { ConfigStore } from "../store/config-store.ts";

/** What ProxyConfigs and the MeshConfig say of data planes' processes, as they are now. */
export interface ProxySettings {
  /** Worker threads; 0: one for each core; undefined: nobody says. */
  concurrencyOf(workload: Pick<Workload, "namespace" | "labels">): number | undefined;
  /** Calls back when some of it may be said otherwise, until the signal is aborted. */
  onChange(listener: () => void, signal: AbortSignal): void;
}

/**
 * Those of the store: they are known before the first snapshot is. By that, a server that has just started would say that
 * nobody says anything, and every data plane would change for nothing.
 */
export function storedProxySettings(
  store: Pick<ConfigStore, "list" | "onChange">,
  rootNamespace: string,
  signal: AbortSignal,
): ProxySettings {
  let source: ProxyConfigSource | undefined;
  onProxyChange(store, () => (source = undefined), signal);
  return {
    concurrencyOf(workload) {
      source ??= readSource(store, rootNamespace);
      return proxyConfigFor(source, workload).concurrency;
    },
    onChange: (listener, signal) => onProxyChange(store, listener, signal),
  };
}

function onProxyChange(
  store: Pick<ConfigStore, "onChange">,
  listener: () => void,
  signal: AbortSignal,
): void {
  store.onChange((changes) => {
    const kinds = changes.map(({ before, after }) => (after ?? before)?.kind);
    if (kinds.includes("ProxyConfig") || kinds.includes("MeshConfig")) listener();
  }, signal);
}

function readSource(store: Pick<ConfigStore, "list">, rootNamespace: string): ProxyConfigSource {
  const configs = ofKind(store.list({ kind: "ProxyConfig" }), "ProxyConfig");
  const byNamespace = Map.groupBy(configs, ({ metadata }) => metadata.namespace);
  const [mesh] = ofKind(store.list({ kind: "MeshConfig" }), "MeshConfig");
  const base = { ...DEFAULT_SETTINGS, rootNamespace };
  return {
    settings: withMeshConfig(base, mesh?.spec ?? base.mesh),
    proxyConfigs: (namespace) => byNamespace.get(namespace) ?? [],
  };
}
