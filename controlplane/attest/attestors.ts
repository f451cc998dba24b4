import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { splitPemChain } from "../../mesh/identity/pem.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import type { Bans } from "../ca/bans.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import { type AgentBinding, UNBOUND } from "./agent-binding.ts";
import type { AgentRecords } from "./agent-records.ts";
import type { AttestConfig } from "./attest-config.ts";
import type { Attestor } from "./attestor.ts";
import type { JoinTokenStore } from "./join-token-store.ts";
import { awsIidAttestor } from "./methods/aws-iid.ts";
import { azureImdsAttestor } from "./methods/azure-imds.ts";
import { consulTokenAttestor } from "./methods/consul-token.ts";
import { gcpIitAttestor } from "./methods/gcp-iit.ts";
import { joinTokenAttestor } from "./methods/join-token.ts";
import { lastCertificateAttestor } from "./methods/last-certificate.ts";
import { nomadJwtAttestor } from "./methods/nomad-jwt.ts";
import { sshPopAttestor } from "./methods/ssh-pop.ts";
import { x509PopAttestor } from "./methods/x509-pop.ts";
import { consulJudge } from "./proof/consul-permissions.ts";
import { issuerKeys } from "./proof/verify-jwt.ts";

export interface AttestorDeps {
  readonly ca: Pick<CertificateAuthority, "bundle">;
  readonly agents: Pick<AgentRecords, "get">;
  readonly bans: Pick<Bans, "has">;
  readonly tokens: JoinTokenStore;
  readonly clock: Clock;
}

export interface Attestors extends AsyncDisposable {
  readonly list: readonly Attestor[];
}

/** The methods that the configuration allows, and no other. Throws `config.invalid` for a file that is of no use. */
export async function openAttestors(config: AttestConfig, deps: AttestorDeps): Promise<Attestors> {
  const { clock } = deps;
  await using closing = new AsyncDisposableStack();
  const { nomad, consul, x509, ssh, aws, gcp, azure } = config;
  const graceMs = config.returnHours * 3_600_000;
  const list: Attestor[] = [];
  if (config.joinToken) list.push(joinTokenAttestor(deps.tokens));
  if (graceMs > 0) list.push(lastCertificateAttestor({ ...deps, graceMs }));
  if (nomad !== undefined) {
    const client = closing.use(await usable("attest.nomad", () => nomadClient(nomad)));
    list.push(nomadJwtAttestor({ nomad: client, audience: nomad.audience, identity: nomad, clock }));
  }
  if (consul !== undefined) {
    const { ask } = closing.use(consulJudge(consul.address));
    list.push(consulTokenAttestor({ ask, namespace: consul.namespace }));
  }
  if (x509 !== undefined) {
    const roots = await certificates("attest.x509.caFile", x509.caFile);
    list.push(x509PopAttestor({ roots, subject: x509.subject, binding: bindingOf(x509), clock }));
  }
  if (ssh !== undefined) {
    const authorities = await publicKeyLines("attest.ssh.caFile", ssh.caFile);
    list.push(sshPopAttestor({ authorities, binding: bindingOf(ssh), clock }));
  }
  if (aws !== undefined) {
    const pem = await certificates("attest.aws.certificateFile", aws.certificateFile);
    const keys = pem.map((certificate) => new X509Certificate(certificate).publicKey);
    list.push(awsIidAttestor({ ...aws, keys, binding: bindingOf(aws), clock }));
  }
  if (gcp !== undefined) {
    const keys = issuerKeys(gcp.keysUrl);
    list.push(gcpIitAttestor({ ...gcp, keys, binding: bindingOf(gcp), clock }));
  }
  if (azure !== undefined) {
    const roots = await certificates("attest.azure.caFile", azure.caFile);
    list.push(azureImdsAttestor({ ...azure, roots, binding: bindingOf(azure), clock }));
  }
  const open = closing.move();
  return { list, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function bindingOf(part: {
  readonly namespace: string;
  readonly serviceAccounts: readonly string[];
}): AgentBinding {
  const { namespace, serviceAccounts } = part;
  return {
    ...UNBOUND,
    ...(namespace === "" ? {} : { namespace }),
    ...(serviceAccounts.length === 0 ? {} : { serviceAccounts }),
  };
}

async function certificates(key: string, path: string): Promise<readonly string[]> {
  return usable(key, async () => {
    const found = splitPemChain(await readFile(path, "utf8"));
    for (const pem of found) void new X509Certificate(pem);
    if (found.length === 0) throw new Error(`there is no certificate in ${path}`);
    return found;
  });
}

async function publicKeyLines(key: string, path: string): Promise<readonly string[]> {
  return usable(key, async () => {
    const text = await readFile(path, "utf8");
    const lines = text.split("\n").filter((line) => /^(ssh|ecdsa)-\S+ \S+/.test(line.trim()));
    if (lines.length === 0) throw new Error(`there is no public key line in ${path}`);
    return lines;
  });
}

async function usable<T>(key: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new MeshError("config.invalid", `use ${key}: ${messageOf(cause)}`, { cause });
  }
}
