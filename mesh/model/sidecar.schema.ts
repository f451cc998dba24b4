import { z } from "zod";
import { bindAddress } from "./bind-address.schema.ts";
import { connectionPool } from "./connection-pool.schema.ts";
import { destination } from "./destination.schema.ts";
import { isHostName } from "./dns-names.ts";
import { workloadSelector } from "./labels.schema.ts";
import { egressHostProblem, splitNamespacedHost } from "./namespaced-host.ts";
import { type ProtocolName, protocolName, protocolOf } from "./protocol.schema.ts";
import { optionalDnsLabel } from "./scalars.schema.ts";
import { withNotice, withReview } from "./schema-notice.ts";
import { presenceRule, problemCheck, rule } from "./schema-rule.ts";
import { ingressTls } from "./server-tls.schema.ts";
import type { EgressHost, OutboundTrafficPolicy, SidecarEgress, SidecarIngress, SidecarSpec } from "./sidecar.ts";
import { defaultEndpointProblem, isTerminated, reviewEgress, reviewIngress } from "./sidecar-ingress.ts";
import { checkEgress, checkEgressOrder, checkIngressPorts } from "./sidecar-rules.ts";

const port = z.object({
  number: z.int().min(0).max(65535).default(0),
  protocol: withNotice(protocolName.optional(), (written) =>
    written === undefined || written === "" ? "is not detected: without it the port is TCP" : undefined,
  ),
  name: optionalDnsLabel,
  targetPort: z.literal(0, { error: "has no meaning for a Sidecar: leave it out" }).optional(),
});
