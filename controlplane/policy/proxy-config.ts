import type { ProxyConfigSpec } from "../../mesh/model/proxy-config.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

/** Settings of a data plane's process; undefined and empty: nobody says. */
export type EffectiveProxyConfig = Omit<ProxyConfigSpec, "selector">;

/** What is read of a mesh for it. */
export type ProxyConfigSource = Pick<SnapshotView, "settings" | "proxyConfigs">;

/**
 * What holds for a workload: its own ProxyConfig over its namespace's, over the root namespace's, over the MeshConfig's
 * defaults; field by field, and variables by name. The oldest of a scope counts; only in the workload's own namespace is
 * there a selector that selects.
 */
export function proxyConfigFor(
  view: ProxyConfigSource,
  { namespace, labels }: Pick<WorkloadConfig, "namespace" | "labels">,
): EffectiveProxyConfig {
  const { rootNamespace, mesh } = view.settings;
  const own = view.proxyConfigs(namespace);
  const scopes = [
    view.proxyConfigs(rootNamespace).find(({ spec }) => !hasSelector(spec)),
    own.find(({ spec }) => !hasSelector(spec)),
    own.find(({ spec }) => hasSelector(spec) && selects(spec.selector, labels)),
  ];
  const defaults: EffectiveProxyConfig = {
    concurrency: mesh.concurrency,
    environmentVariables: {},
    imageType: "",
  };
  return scopes.reduce<EffectiveProxyConfig>((config, scope) => {
    if (scope === undefined) return config;
    const { concurrency, environmentVariables, imageType } = scope.spec;
    return {
      concurrency: concurrency ?? config.concurrency,
      environmentVariables: { ...config.environmentVariables, ...environmentVariables },
      imageType: imageType || config.imageType,
    };
  }, defaults);
}

function hasSelector({ selector }: ProxyConfigSpec): boolean {
  return Object.keys(selector).length > 0;
}
