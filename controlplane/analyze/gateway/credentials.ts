import { X509Certificate } from "node:crypto";
import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { ServerTls } from "../../../mesh/model/gateway.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import type { SecretSpec } from "../../../mesh/model/secret.ts";
import { type Finding, nameOf } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Modes in which the gateway shows a certificate of its own. */
const WITH_CERTIFICATE: ReadonlySet<ServerTls["mode"]> = new Set(["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"]);

interface Credential {
  readonly name: string;
  readonly path: FieldPath;
  /** Only for the roots of client certificates. */
  readonly rootsOnly: boolean;
}

/** Secrets that a Gateway's servers name: that they are in the namespace of its workloads, and that they can be used. */
export function* gatewayCredentials(mesh: MeshFacts): Iterable<Finding> {
  const secrets = new Map(mesh.list("Secret").map((secret) => [nameOf(secret), secret]));
  for (const subject of mesh.list("Gateway")) {
    const namespaces = namespacesOf(mesh, subject);
    for (const [index, { tls }] of subject.spec.servers.entries()) {
      if (tls === undefined || !WITH_CERTIFICATE.has(tls.mode)) continue;
      for (const { name, path, rootsOnly } of credentialsOf(tls, ["spec", "servers", index, "tls"])) {
        for (const namespace of namespaces) {
          const secret = secrets.get(`${namespace}/${name}`);
          if (secret === undefined) {
            yield { code: "IST0101", subject, path, message: `there is no Secret ${namespace}/${name}` };
            continue;
          }
          const problem = rootsOnly ? rootsProblem(secret.spec) : keyPairProblem(secret.spec, mesh.now);
          if (problem === undefined) continue;
          yield { code: "IST0161", subject, path, message: `Secret ${namespace}/${name} ${problem}` };
        }
      }
    }
  }
}

function credentialsOf(tls: ServerTls, at: FieldPath): readonly Credential[] {
  const named = tls.credentialNames.map((name) => ({
    name,
    path: [...at, "credentialName"],
    rootsOnly: false,
  }));
  if (tls.caCertCredentialName === "") return named;
  const roots = { name: tls.caCertCredentialName, path: [...at, "caCertCredentialName"], rootsOnly: true };
  return [...named, roots];
}

/** A gateway's secrets are those of its workloads' namespace; without workloads, it is taken to be the Gateway's. */
function namespacesOf(mesh: MeshFacts, { spec, metadata }: StoredObject<"Gateway">): ReadonlySet<string> {
  const chosen = Object.keys(spec.selector).length === 0 ? [] : mesh.gatewayWorkloads(spec.selector);
  return new Set(chosen.length === 0 ? [metadata.namespace] : chosen.map(({ namespace }) => namespace));
}

/** What the Secret's schema allows and a server cannot use. */
function keyPairProblem({ certificateChain, privateKey }: SecretSpec, now: number): string | undefined {
  if (certificateChain === "") return "has no certificate";
  if (privateKey === "") return "has no private key";
  const { validTo } = new X509Certificate(certificateChain);
  return Date.parse(validTo) < now ? `has a certificate that expired on ${validTo}` : undefined;
}

function rootsProblem({ roots, certificateChain }: SecretSpec): string | undefined {
  return roots === "" && certificateChain === "" ? "has no root certificates" : undefined;
}
