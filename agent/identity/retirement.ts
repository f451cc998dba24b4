import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { Changes } from "../state/changes.ts";

/** Tells which certificates are to be replaced before their time, because the authority that signed them goes. */
export interface Retirement {
  /** Over which time to spread the renewal of this certificate; undefined: it may stay to its own time. */
  renewWithinMs(svid: X509Svid): number | undefined;
  /** Notified when the answers may be others. */
  readonly changes: Pick<Changes<unknown>, "subscribe">;
}

export function retirementBy(bundle: {
  readonly current: TrustBundle;
  readonly changes: Retirement["changes"];
}): Retirement {
  return {
    renewWithinMs: ({ authority }) =>
      bundle.current.retiring.includes(authority) ? bundle.current.renewWithinMs : undefined,
    changes: bundle.changes,
  };
}
