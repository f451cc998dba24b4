import { MeshError } from "../../mesh/errors.ts";
import { parseJoinToken } from "../../mesh/identity/join-token.ts";
import { parseTrustDomain, type TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { type HostProof, tokenProof } from "./host-proof.ts";
import type { JoinConfig } from "./join-config.ts";
import { consulProof, nomadProof } from "./proofs/bearer-proofs.ts";
import { awsProof, azureProof, gcpProof } from "./proofs/cloud-proofs.ts";
import { sshProof, x509Proof } from "./proofs/possession-proofs.ts";
import type { Environment } from "./proofs/secret-source.ts";

/** Where a mesh is, by which key to know it, and how this host proves itself to it. */
export interface Invitation {
  /** `host:port`, at least one; tried in their order. */
  readonly addresses: readonly string[];
  readonly trustDomain: TrustDomain;
  /** SHA-256 of the CA's SubjectPublicKeyInfo, base64url. */
  readonly pin: string;
  readonly proof: HostProof;
}

/** What a join token invites to. Its text is in no log line and in no error. Throws `agent.join`. */
export function invitationOf(token: string): Invitation {
  const { addresses, trustDomain, pin, secret } = parseJoinToken(token);
  return { addresses, trustDomain, pin, proof: tokenProof(secret) };
}

/** How this host proves itself by its configuration; undefined: with a join token, by hand. */
export function proofOf(join: JoinConfig | undefined, environment: Environment): HostProof | undefined {
  if (join === undefined) return undefined;
  switch (join.method) {
    case "nomad-jwt":
      return nomadProof(join.from ?? nomadIdentity(environment), environment);
    case "consul-token":
      return consulProof(join.from ?? "env:CONSUL_HTTP_TOKEN", join.services, environment);
    case "x509-pop":
      return x509Proof(filesOf(join));
    case "ssh-pop":
      return sshProof({
        certificate: join.certificate ?? "/etc/ssh/ssh_host_ed25519_key-cert.pub",
        key: join.key ?? "/etc/ssh/ssh_host_ed25519_key",
      });
    case "aws-iid":
      return awsProof(join.metadata ?? "http://169.254.169.254");
    case "gcp-iit":
      return gcpProof(join.metadata ?? "http://metadata.google.internal", join.audience ?? join.trustDomain);
    case "azure-imds":
      return azureProof(join.metadata ?? "http://169.254.169.254");
    default:
      return join.method satisfies never;
  }
}

/** What `join` of agent.yaml invites to. Throws `config.invalid` when no server is named. */
export function configuredInvitation(
  join: JoinConfig,
  servers: readonly string[],
  environment: Environment,
): Invitation {
  const proof = proofOf(join, environment);
  if (servers.length === 0 || proof === undefined) {
    throw new MeshError("config.invalid", "join by configuration: no server is named", {
      hint: "set `servers` to host:port of the mesh's servers",
    });
  }
  return { addresses: servers, trustDomain: parseTrustDomain(join.trustDomain), pin: join.caPin, proof };
}

/** Where Nomad writes, and keeps fresh, what the task's block `identity { name = "lateen" file = true }` asks for. */
function nomadIdentity({ NOMAD_SECRETS_DIR: secrets }: Environment): string {
  return secrets === undefined ? "env:NOMAD_TOKEN_lateen" : `file:${secrets}/nomad_lateen.jwt`;
}

function filesOf({ certificate, key }: JoinConfig): { readonly certificate: string; readonly key: string } {
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  throw new MeshError("config.invalid", "join by x509-pop: it needs `certificate` and `key`");
}
