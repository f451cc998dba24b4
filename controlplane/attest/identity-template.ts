import { isSpiffeSegment } from "../../mesh/identity/spiffe-id.ts";

/** What of a proof's claims becomes the one identity of the agent's workloads: `{nomad_job_id}` is a claim's value. */
export interface IdentityTemplate {
  readonly namespace: string;
  readonly serviceAccount: string;
}

const PLACEHOLDER = /\{([A-Za-z0-9_.]{1,64})\}/g;

/** Undefined when a claim is not there, or when what comes out could not stand in an identity: nothing is mended. */
export function identityFrom(
  template: IdentityTemplate,
  claims: Readonly<Record<string, unknown>>,
): { readonly namespace: string; readonly serviceAccount: string } | undefined {
  const namespace = fill(template.namespace, claims);
  const serviceAccount = fill(template.serviceAccount, claims);
  return namespace === undefined || serviceAccount === undefined ? undefined : { namespace, serviceAccount };
}

function fill(template: string, claims: Readonly<Record<string, unknown>>): string | undefined {
  let whole = true;
  const text = template.replaceAll(PLACEHOLDER, (_, name: string) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof value !== "string" || value === "") whole = false;
    return String(value);
  });
  return whole && isSpiffeSegment(text) ? text : undefined;
}
