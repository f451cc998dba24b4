/** Services with one workload each, as if a Consul's catalog had them: YAML that other documents may follow. */
export function catalogOf(services: readonly string[]): string {
  return services
    .map(
      (name, index) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { app: ${name} } }
---
${workloadOf(name, { version: "v1" }, `10.0.0.${index + 1}`)}`,
    )
    .join("");
}

/** A workload of a service, with labels beside `app`. */
export function workloadOf(
  service: string,
  labels: Readonly<Record<string, string>>,
  address: string,
): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${[service, ...Object.values(labels)].join("-")} }
spec: { address: ${address}, labels: ${JSON.stringify({ app: service, ...labels })}, serviceAccount: ${service} }
---
`;
}
