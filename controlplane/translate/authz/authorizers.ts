import type { AuthorizationProvider } from "../../../mesh/model/authorization-provider.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import { serviceClient } from "../../policy/client.ts";
import { findService } from "../../policy/services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { by } from "../../snapshot/text-order.ts";
import type { Scope } from "../memo.ts";
import type { AuthorizationPolicy } from "./policies.ts";

/** A provider that is there to be asked, and the policies that say what it is asked about. */
export interface Authorizer {
  readonly provider: AuthorizationProvider;
  readonly cluster: string;
  readonly hostname: string;
  readonly policies: readonly AuthorizationPolicy[];
}

export interface AskedPolicies {
  /** By name. */
  readonly authorizers: readonly Authorizer[];
  /** What nobody can be asked about is denied. */
  readonly unanswered: readonly AuthorizationPolicy[];
}

/** Divides CUSTOM policies by whom they ask. */
export function authorizersOf(
  { view, warn }: Scope,
  workload: Pick<WorkloadConfig, "namespace" | "labels" | "role">,
  policies: readonly AuthorizationPolicy[],
  { http }: { readonly http: boolean },
): AskedPolicies {
  const providers = view.settings.mesh.authorizationProviders;
  const authorizers: Authorizer[] = [];
  const unanswered: AuthorizationPolicy[] = [];
  for (const [name, asking] of Map.groupBy(policies, ({ spec }) => spec.provider)) {
    const provider = providers.find((one) => one.name === name);
    const service = provider && serviceOf(provider);
    const problem =
      provider === undefined
        ? "MeshConfig has no such extensionProvider for authorization"
        : service === undefined
          ? `there is no service ${provider.service.host} with port ${provider.port}`
          : !http && provider.protocol === "http"
            ? "it answers requests, and the port speaks no HTTP"
            : undefined;
    if (provider !== undefined && service !== undefined && problem === undefined) {
      const cluster = outboundClusterName(provider.port, "", service.hostname);
      authorizers.push({ provider, cluster, hostname: service.hostname, policies: asking });
      continue;
    }
    unanswered.push(...asking);
    for (const policy of asking)
      warn({
        subject: keyOf(policy),
        message: `provider ${name} cannot be asked, so what it would be asked about is denied: ${problem}`,
      });
  }
  return { authorizers: authorizers.sort(by(({ provider }) => provider.name)), unanswered };

  function serviceOf({ service, port }: AuthorizationProvider): { readonly hostname: string } | undefined {
    const { namespace } = workload;
    const client = serviceClient(view, workload);
    const found = findService(view, service.host, service.namespace || namespace, client);
    return found?.ports.some(({ number }) => number === port) === true ? found : undefined;
  }
}
