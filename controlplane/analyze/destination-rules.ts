import type { ClientTls, TrafficPolicy } from "../../mesh/model/destination-rule.ts";
import type { FieldPath } from "../../mesh/model/finding.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { topologyLabels } from "../policy/locality.ts";
import { selects } from "../snapshot/labels.ts";
import { networkOf } from "../translate/endpoints/networks.ts";
import type { Finding } from "./finding.ts";
import { type MeshFacts, selectorText } from "./mesh-facts.ts";

type DestinationRule = StoredObject<"DestinationRule">;

/** Hosts that no service has, and subsets that no endpoint is in. */
export function* destinationRuleHosts(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("DestinationRule")) {
    const { host, subsets } = subject.spec;
    const services = mesh.servicesOf(host, subject.metadata.namespace);
    if (services.length === 0) {
      const message = `the host ${host} is no service of the mesh, so the rule does nothing`;
      yield { code: "IST0174", subject, path: ["spec", "host"], message };
      continue;
    }
    const endpoints = services
      .flatMap((service) => mesh.endpoints(service))
      .map((endpoint) => topologyLabels({ ...endpoint, network: networkOf(mesh, endpoint) }));
    for (const [index, { name, labels }] of subsets.entries()) {
      if (endpoints.some((endpoint) => selects(labels, endpoint))) continue;
      const message = `subset ${name} is empty: no endpoint of ${host} has the labels ${selectorText(labels)}`;
      yield { code: "IST0173", subject, path: ["spec", "subsets", index], message };
    }
  }
}

/** TLS to servers whose roots the rule does not say, or with a credential that not all callers get. */
export function* destinationRuleVerification(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("DestinationRule")) {
    const selecting = Object.keys(subject.spec.workloadSelector).length > 0;
    for (const { policy, path } of policiesOf(subject)) {
      if (isUnverified(policy.tls, selecting)) {
        const message = `${policy.tls.mode} to ${subject.spec.host} ${whyUnverified(policy.tls)}`;
        yield { code: "IST0128", subject, path: [...path, "tls"], message };
      }
      for (const [index, { port, tls }] of policy.portLevelSettings.entries()) {
        if (!isUnverified(tls, selecting)) continue;
        const message = `${tls.mode} to port ${port} of ${subject.spec.host} ${whyUnverified(tls)}`;
        yield { code: "IST0129", subject, path: [...path, "portLevelSettings", index, "tls"], message };
      }
    }
  }
}

/** Failover between localities acts only on endpoints that outlier detection takes out. */
export function* destinationRuleFailover(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("DestinationRule")) {
    const general = subject.spec.trafficPolicy;
    for (const { policy, path } of policiesOf(subject)) {
      const locality = policy.loadBalancer?.locality;
      const fails = locality !== undefined && locality.failover.length + locality.failoverPriority.length > 0;
      if (!fails || policy.outlierDetection !== undefined || general?.outlierDetection !== undefined)
        continue;
      yield {
        code: "IST0167",
        subject,
        path: [...path, "loadBalancer", "localityLbSetting"],
        message: "failover has no effect without outlierDetection, which finds out what has failed",
      };
    }
  }
}

interface PlacedPolicy {
  readonly policy: TrafficPolicy;
  readonly path: FieldPath;
}

function policiesOf({ spec }: DestinationRule): readonly PlacedPolicy[] {
  const subsets = spec.subsets.map(({ trafficPolicy }, index) => ({
    policy: trafficPolicy,
    path: ["spec", "subsets", index, "trafficPolicy"],
  }));
  return [{ policy: spec.trafficPolicy, path: ["spec", "trafficPolicy"] }, ...subsets].flatMap(
    ({ policy, path }) => (policy === undefined ? [] : [{ policy, path }]),
  );
}

/** A credential is only given to gateways and to the workloads that a rule selects. */
function isUnverified(tls: ClientTls | undefined, selecting: boolean): tls is ClientTls {
  if (tls === undefined || (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL")) return false;
  if (tls.credentialName !== "") return !selecting;
  return tls.caCertificates === "" && !tls.insecureSkipVerify;
}

function whyUnverified({ credentialName }: ClientTls): string {
  return credentialName === ""
    ? "without caCertificates: the server's certificate is checked with the roots of each caller's system alone"
    : "with a credentialName and without a workloadSelector: only gateways get the credential, others call without TLS";
}
