import { stringify } from "yaml";
import { document } from "./mesh-policies.ts";
import type { TestCertificate } from "./test-certificates.ts";

export interface ServerSpec {
  readonly port: number;
  readonly protocol: "HTTP" | "HTTPS" | "TLS" | "TCP";
  readonly hosts: readonly string[];
  /** Address; tests that share a machine do not listen at all of them. */
  readonly bind: string;
  readonly tls?: object;
}

/** A Gateway for the workloads with Istio's label of ingress gateways, unless another selector is given. */
export function gateway(
  name: string,
  servers: readonly ServerSpec[],
  selector: Readonly<Record<string, string>> = { istio: "ingressgateway" },
): string {
  return document("networking.istio.io/v1", "Gateway", name, {
    selector,
    servers: servers.map(({ port, protocol, ...rest }, index) => ({
      port: { number: port, name: `p${index}`, protocol },
      ...rest,
    })),
  });
}

/** A Secret with a certificate and its key, roots that the others are checked with, and what these have taken back. */
export function secret(
  name: string,
  certificate: TestCertificate,
  roots?: TestCertificate,
  crl?: string,
): string {
  const stringData = {
    "tls.crt": certificate.pem,
    "tls.key": certificate.keyPem,
    ...(roots === undefined ? {} : { "ca.crt": roots.pem }),
    ...(crl === undefined ? {} : { "ca.crl": crl }),
  };
  return `---\n${stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, stringData })}`;
}

/** A host outside the mesh with one port, at an address that is known. */
export function outside(
  host: string,
  at: { readonly number: number; readonly protocol: string; readonly address: string; readonly port: number },
): string {
  return document("networking.istio.io/v1", "ServiceEntry", host, {
    hosts: [host],
    location: "MESH_EXTERNAL",
    resolution: "STATIC",
    ports: [{ number: at.number, name: "it", protocol: at.protocol }],
    endpoints: [{ address: at.address, ports: { it: at.port } }],
  });
}
