import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { mint, mintRoot } from "../harness/test-certificates.ts";
import { workload } from "./sample-mesh.ts";

/** An ingress gateway of the root namespace, without ports of its own. */
export function gatewayWorkload(over: Partial<PlacedWorkload> = {}): PlacedWorkload {
  return workload("edge", {
    namespace: "default",
    labels: { app: "edge", istio: "ingressgateway" },
    role: "gateway",
    discovery: "mesh",
    ports: [],
    ...over,
  });
}

/** Secrets with a certificate of a new root, and others with that root alone, as YAML. */
export function gatewaySecrets(names: readonly string[], roots: readonly string[] = []): string {
  const root = mintRoot();
  const certificates = names.map((name) => {
    const leaf = mint({ issuer: root, commonName: name });
    return secretYaml(name, { "tls.crt": leaf.pem, "tls.key": leaf.keyPem });
  });
  return [...certificates, ...roots.map((name) => secretYaml(name, { "ca.crt": root.pem }))].join("---\n");
}

/** A Secret of the default namespace as people write it. */
export function secretYaml(name: string, stringData: Readonly<Record<string, string>>): string {
  return `${JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, stringData })}\n`;
}
