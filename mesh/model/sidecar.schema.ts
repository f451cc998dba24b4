import { isIP } from "node:net";
import * as z from "zod";
import { bindAddress } from "./bind-address.schema.ts";
import { connectionPool } from "./connection-pool.schema.ts";
import { destination } from "./destination.schema.ts";
import { isHostName } from "./dns-names.ts";
import { workloadSelector } from "./labels.schema.ts";
import { egressHostProblem, splitNamespacedHost } from "./namespaced-host.ts";
import { type ProtocolName, protocolNameIfSaid, protocolOf, unsaidProtocol } from "./protocol.schema.ts";
import { optionalMixedCaseLabel } from "./scalars.schema.ts";
import { withReview } from "./schema-notice.ts";
import { presenceRule, problemCheck, rule } from "./schema-rule.ts";
import { ingressTls } from "./server-tls.schema.ts";
import type { Protocol } from "./service.ts";
import type {
  EgressHost,
  OutboundTrafficPolicy,
  SidecarEgress,
  SidecarIngress,
  SidecarPort,
  SidecarSpec,
} from "./sidecar.ts";
import { reviewEgress, reviewIngress } from "./sidecar-review.ts";
import { checkEgressListeners, checkIngressListeners, endpointProblem } from "./sidecar-rules.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";

const port = z.object({
  number: z.int().min(0).max(65535).default(0),
  protocol: protocolNameIfSaid.optional(),
  name: optionalMixedCaseLabel,
  targetPort: z.literal(0, { error: "has no meaning for a Sidecar: leave it out" }).optional(),
});

const captureMode = z.enum(["DEFAULT", "IPTABLES", "NONE"]).default("DEFAULT");

const ingress: z.ZodType<SidecarIngress> = withReview(
  z
    .object({
      port,
      bind: bindAddress,
      captureMode,
      defaultEndpoint: z.string().check(problemCheck(endpointProblem)).default(""),
      tls: ingressTls.optional(),
      connectionPool: connectionPool.optional(),
    })
    .check(
      rule(["port", "bind"], ({ port, bind }, report) => {
        if (port.number === 0) report(["port", "number"], "must be from 1 to 65535");
        if (isUnixAddress(bind)) report(["bind"], "must be an IP address: callers come over the network");
      }),
      rule(["port", "tls"], ({ port, tls }, report) => {
        const encrypted = port.protocol === "HTTPS" || port.protocol === "TLS";
        if (tls !== undefined && !encrypted) report(["tls"], "needs a port whose protocol is HTTPS or TLS");
      }),
    )
    .transform(({ port, bind, captureMode, defaultEndpoint, tls, connectionPool }) => ({
      port: toPort(port, tls === undefined || tls.mode === "PASSTHROUGH" ? outside : insideTls),
      bind,
      captureMode,
      defaultEndpoint: defaultEndpoint.startsWith(":") ? `127.0.0.1${defaultEndpoint}` : defaultEndpoint,
      tls,
      connectionPool,
    })),
  reviewIngress,
);

const egressHost: z.ZodType<EgressHost> = z
  .string()
  .check(problemCheck(egressHostProblem))
  .transform((written) => {
    const { namespace, host } = splitNamespacedHost(written) ?? { namespace: "", host: written };
    const excluded = namespace.startsWith("~") && namespace !== "~";
    return { namespace: excluded ? namespace.slice(1) : namespace, host, excluded };
  });

const egress: z.ZodType<SidecarEgress> = withReview(
  z
    .object({
      port: port.optional(),
      bind: bindAddress,
      captureMode,
      hosts: z.array(egressHost).min(1),
    })
    .check(
      rule(["port", "bind", "captureMode"], ({ port, bind, captureMode }, report) => {
        if (port === undefined) return;
        if (port.number > 0 && isUnixAddress(bind))
          return report(["port", "number"], "must be 0 with a unix:// bind");
        if (port.number > 0) return;
        if (!isUnixAddress(bind))
          report(["port", "number"], "must be from 1 to 65535 without a unix:// bind");
        if (captureMode === "IPTABLES")
          report(["captureMode"], "must be DEFAULT or NONE with port 0: a socket's path is not captured");
      }),
    )
    .transform(({ port, bind, captureMode, hosts }) => ({
      port: port === undefined ? undefined : toPort(port, outside),
      bind,
      captureMode,
      hosts,
    })),
  reviewEgress,
);

const outboundTrafficPolicy: z.ZodType<OutboundTrafficPolicy> = z
  .object({
    mode: z.enum(["REGISTRY_ONLY", "ALLOW_ANY"]).default("REGISTRY_ONLY"),
    egressProxy: destination.optional(),
  })
  .check(
    rule(["mode", "egressProxy"], ({ mode, egressProxy }, report) => {
      if (egressProxy === undefined) return;
      if (mode !== "ALLOW_ANY") return report(["egressProxy"], "needs mode ALLOW_ANY");
      if (!isHostName(egressProxy.host) || isIP(egressProxy.host) !== 0)
        report(["egressProxy", "host"], "must be a host name without a wildcard");
      if (egressProxy.port === undefined) report(["egressProxy", "port"], "is required");
    }),
  )
  .transform(({ mode, egressProxy }) => ({ mode, egressProxy }));

/** Sidecar's spec, by Istio's rules. */
export const sidecarSpec: z.ZodType<SidecarSpec> = z
  .object({
    workloadSelector: workloadSelector.optional(),
    ingress: z.array(ingress).default([]),
    egress: z.array(egress).default([]),
    inboundConnectionPool: connectionPool.optional(),
    outboundTrafficPolicy: outboundTrafficPolicy.optional(),
  })
  .check(
    presenceRule((present, report) => {
      const settings = ["ingress", "egress", "inboundConnectionPool", "outboundTrafficPolicy"];
      if (!settings.some((field) => present.has(field)))
        report([], `must have ${settings.slice(0, -1).join(", ")} or outboundTrafficPolicy`);
    }),
    rule(["ingress"], ({ ingress }, report) => checkIngressListeners(ingress, report)),
    rule(["egress"], ({ egress }, report) => checkEgressListeners(egress, report)),
  )
  .transform(({ workloadSelector = {}, ingress, egress, inboundConnectionPool, outboundTrafficPolicy }) => ({
    workloadSelector: Object.keys(workloadSelector).length === 0 ? undefined : workloadSelector,
    ingress,
    egress,
    inboundConnectionPool,
    outboundTrafficPolicy,
  }));

function toPort(
  { number, protocol, name }: z.output<typeof port>,
  read: (name: ProtocolName) => Protocol,
): SidecarPort {
  return { number, name, protocol: protocol === undefined ? unsaidProtocol(number) : read(protocol) };
}

function outside(name: ProtocolName): Protocol {
  return protocolOf(name);
}

/** Where the listener takes TLS off, what matters is what is inside. */
function insideTls(name: ProtocolName): Protocol {
  return name === "HTTPS" ? "http" : "tcp";
}
