import type { ServerTls } from "../../../mesh/model/gateway.ts";
import type { SecretSpec } from "../../../mesh/model/secret.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Secret } from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import type { Client } from "../../policy/client.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { clusterPlans } from "../clusters/cluster-plans.ts";
import type { Scope } from "../memo.ts";
import { resource } from "../resource.ts";

/** SDS name of a Secret's certificate and key, as Istio has it. */
export function credentialSecret(name: string): string {
  return `kubernetes://${name}`;
}

/** Ends the SDS name of a Secret's roots, and the name of one that has nothing but roots. */
const ROOTS_SUFFIX = "-cacert";

/** The SDS name of the roots that a server verifies clients with. */
export function rootsSecret({ caCertCredentialName, credentialNames }: ServerTls): string {
  const name = caCertCredentialName || (credentialNames[0] ?? "");
  return credentialSecret(name.endsWith(ROOTS_SUFFIX) ? name : `${name}${ROOTS_SUFFIX}`);
}

export function verifiesClients({ mode }: ServerTls): boolean {
  return mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
}

/** The SDS names of what a server's TLS settings take from Secrets. */
function neededSecrets(tls: ServerTls): readonly string[] {
  if (tls.mode === "ISTIO_MUTUAL" || tls.credentialNames.length === 0) return [];
  const certificates = tls.credentialNames.map(credentialSecret);
  return verifiesClients(tls) ? [...certificates, rootsSecret(tls)] : certificates;
}

/** Why a server cannot have what it needs of the Secrets of a namespace; undefined when it can. */
export function missingCredential({ view }: Scope, namespace: string, tls: ServerTls): string | undefined {
  for (const sdsName of neededSecrets(tls)) {
    if (find(view, namespace, sdsName) !== undefined) continue;
    const names = secretsOf(sdsName).map((name) => `${namespace}/${name}`);
    const what = isRoots(sdsName) ? "roots (ca.crt)" : "a certificate with its key";
    return names.some((name) => view.secret(name) !== undefined)
      ? `Secret ${names.join(" or ")} has no ${what}`
      : `there is no Secret ${names.join(" or ")}`;
  }
  return undefined;
}

/** The secrets that there are for a server; what is missing is left out. */
export function serverCredentials(
  scope: Scope,
  namespace: string,
  tls: ServerTls,
): readonly EncodedResource[] {
  return neededSecrets(tls).flatMap((sdsName) => credential(scope, namespace, sdsName) ?? []);
}

/** The same for what a client calls services with, by the DestinationRules that it follows. */
export function clientCredentials(
  scope: Scope,
  client: Client,
  hosts: readonly string[],
): readonly EncodedResource[] {
  const names = hosts
    .flatMap((host) => clusterPlans(scope.view, client, host))
    .flatMap(({ policy: { tls } }) =>
      tls === undefined || tls.credentialName === "" ? [] : [tls.credentialName],
    );
  return [...new Set(names)]
    .flatMap((name) => [credentialSecret(name), `${credentialSecret(name)}${ROOTS_SUFFIX}`])
    .flatMap((sdsName) => credential(scope, client.namespace, sdsName) ?? []);
}

function credential(scope: Scope, namespace: string, sdsName: string): EncodedResource | undefined {
  if (find(scope.view, namespace, sdsName) === undefined) return undefined;
  return resource(scope, `secret/${namespace}/${sdsName}`, Secret, ({ view }) =>
    toSecret(sdsName, find(view, namespace, sdsName)),
  );
}

function isRoots(sdsName: string): boolean {
  return sdsName.endsWith(ROOTS_SUFFIX);
}

/** Names of the Secrets that may have it; the first that does counts. */
function secretsOf(sdsName: string): readonly string[] {
  const name = sdsName.slice(credentialSecret("").length);
  return isRoots(sdsName) ? [name, name.slice(0, -ROOTS_SUFFIX.length)] : [name];
}

function find(view: SnapshotView, namespace: string, sdsName: string): SecretSpec | undefined {
  return secretsOf(sdsName)
    .map((name) => view.secret(`${namespace}/${name}`)?.spec)
    .find((spec) => {
      if (spec === undefined) return false;
      return isRoots(sdsName) ? spec.roots !== "" : spec.certificateChain !== "" && spec.privateKey !== "";
    });
}

function toSecret(name: string, spec: SecretSpec | undefined): Secret {
  if (spec === undefined) return Secret.fromPartial({ name });
  if (isRoots(name)) {
    return Secret.fromPartial({
      name,
      validationContext: {
        trustedCa: { inlineString: spec.roots },
        ...(spec.crl === "" ? {} : { crl: { inlineString: spec.crl } }),
      },
    });
  }
  return Secret.fromPartial({
    name,
    tlsCertificate: {
      certificateChain: { inlineString: spec.certificateChain },
      privateKey: { inlineString: spec.privateKey },
    },
  });
}
