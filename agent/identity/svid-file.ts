import { X509Certificate } from "node:crypto";
import { dirname } from "node:path";
import * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";
import { splitPemChain } from "../../mesh/identity/pem.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { parseX509Svid, type X509Svid } from "../../mesh/identity/x509-svid.ts";
import { ensurePrivateDir, readPrivate, writePrivate } from "../state/private-files.ts";

const schema = z.object({ chainPem: z.string(), keyPem: z.string() });

/**
 * A workload's SVID from disk, if it is this identity's, is valid now and leads to a root of the mesh; undefined when
 * there is no file or it has expired. Throws for everything else: the file is not to be trusted.
 */
export async function readSvid(
  path: string,
  spiffeId: SpiffeId,
  bundle: TrustBundle,
  now: number,
): Promise<X509Svid | undefined> {
  const text = await readPrivate(path);
  if (text === undefined) return undefined;
  const { chainPem, keyPem } = schema.parse(JSON.parse(text));
  const svid = parseX509Svid({ chain: chainPem, keyPem, trustDomain: bundle.trustDomain });
  assertSvid(svid, spiffeId, bundle);
  return svid.notAfterMs > now ? svid : undefined;
}

export async function writeSvid(path: string, { chainPem, keyPem }: X509Svid): Promise<void> {
  await ensurePrivateDir(dirname(path));
  await writePrivate(path, JSON.stringify({ chainPem, keyPem }));
}

/** Throws `identity.invalid` unless the SVID is this identity's and its chain ends at a root of the mesh. */
export function assertSvid(svid: X509Svid, spiffeId: SpiffeId, bundle: TrustBundle): void {
  if (svid.spiffeId !== spiffeId) {
    throw new MeshError("identity.invalid", `take an SVID for ${spiffeId}: it is of ${svid.spiffeId}`);
  }
  if (!leadsToRoot(svid.chainPem, bundle.roots)) {
    throw new MeshError("identity.invalid", `take an SVID for ${spiffeId}: no root of the mesh signed it`);
  }
}

/**
 * Each certificate signed by a root, or by the next one: a path may go on beyond the first root that this host knows, for
 * peers that know only an older one. What peers accept, they decide themselves, by TLS.
 */
function leadsToRoot(chainPem: string, roots: readonly string[]): boolean {
  const trusted = roots.map((root) => new X509Certificate(root));
  const chain = splitPemChain(chainPem).map((pem) => new X509Certificate(pem));
  for (const [index, certificate] of chain.entries()) {
    if (trusted.some((root) => isSignedBy(certificate, root))) return true;
    const issuer = chain[index + 1];
    if (issuer === undefined || !isSignedBy(certificate, issuer)) return false;
  }
  return false;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
