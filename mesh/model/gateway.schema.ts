import * as z from "zod";
import { bindAddress } from "./bind-address.schema.ts";
import { quoted } from "./finding.ts";
import type {
  GatewayHost,
  GatewayPort,
  GatewayProtocol,
  GatewayServer,
  GatewaySpec,
  ServerTls,
} from "./gateway.ts";
import { labels } from "./labels.schema.ts";
import { gatewayHostProblem, splitNamespacedHost } from "./namespaced-host.ts";
import { isFields } from "./plain-data.ts";
import { type ProtocolName, protocolName } from "./protocol.schema.ts";
import { optionalText, text, textThat } from "./scalars.schema.ts";
import { withNotice, withReview } from "./schema-notice.ts";
import { problemCheck, type Report, rule } from "./schema-rule.ts";
import { serverTls } from "./server-tls.schema.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";

/** Those that a gateway treats alike have one name. */
const GATEWAY_PROTOCOLS: Readonly<Record<ProtocolName, GatewayProtocol>> = {
  HTTP: "HTTP",
  HTTP_PROXY: "HTTP",
  HTTP2: "HTTP2",
  GRPC: "GRPC",
  "GRPC-WEB": "GRPC",
  HTTPS: "HTTPS",
  TLS: "TLS",
  TCP: "TCP",
  MONGO: "MONGO",
  MYSQL: "TCP",
  REDIS: "TCP",
};

const HTTP: ReadonlySet<GatewayProtocol> = new Set(["HTTP", "HTTP2", "GRPC"]);

const port: z.ZodType<GatewayPort> = z
  .object({
    number: z.int().min(0).max(65535).default(0),
    name: textThat(() => true, ""),
    protocol: protocolName,
    targetPort: z.literal(0, { error: "has no meaning for a Gateway: leave it out" }).optional(),
  })
  .transform(({ number, name, protocol }) => ({ number, name, protocol: GATEWAY_PROTOCOLS[protocol] }));

const host: z.ZodType<GatewayHost> = z
  .string()
  .check(problemCheck(gatewayHostProblem))
  .transform((written) => splitNamespacedHost(written) ?? { namespace: "*", host: written });

const server: z.ZodType<GatewayServer> = withReview(
  z
    .object({
      name: optionalText,
      port,
      bind: bindAddress,
      hosts: z.array(host).min(1),
      tls: serverTls.optional(),
      defaultEndpoint: withNotice(text.optional(), (written) =>
        written === undefined ? undefined : "has no effect, as in Istio: routes come from VirtualServices",
      ),
    })
    .check(
      rule(["port", "bind"], ({ port, bind }, report) => {
        if (isUnixAddress(bind) && port.number !== 0)
          report(["port", "number"], "must be 0 with a unix:// bind");
        if (!isUnixAddress(bind) && port.number === 0) report(["port", "number"], "must be from 1 to 65535");
      }),
      rule(["port", "tls"], checkTls),
    )
    .transform(({ name, port, bind, hosts, tls }) => ({ name, port, bind, hosts, tls })),
  reviewRedirect,
);

/** Gateway's spec, by Istio's rules. */
export const gatewaySpec: z.ZodType<GatewaySpec> = z
  .object({ servers: z.array(server).min(1), selector: labels })
  .check(
    rule(["servers"], ({ servers }, report) => {
      const seen = new Set<string>();
      for (const [index, { port }] of servers.entries()) {
        if (seen.has(port.name))
          report(["servers", index, "port", "name"], `names port ${quoted(port.name)} a second time`);
        seen.add(port.name);
      }
    }),
  );

function checkTls(
  { port, tls }: { readonly port: GatewayPort; readonly tls?: ServerTls | undefined },
  report: Report,
): void {
  const { protocol } = port;
  if (protocol === "HTTPS" || protocol === "TLS") {
    if (tls === undefined) report(["tls"], `is required with protocol ${protocol}`);
    return;
  }
  if (tls === undefined) return;
  if (!HTTP.has(protocol)) return report(["tls"], `must not be set with protocol ${protocol}: use TLS`);
  const passed = tls.mode === "PASSTHROUGH" || tls.mode === "AUTO_PASSTHROUGH";
  if (!passed || tls.certificates.length > 0 || tls.caCertificates !== "")
    report(["tls"], `must have nothing but httpsRedirect with protocol ${protocol}: use HTTPS`);
}

function reviewRedirect(server: unknown, warn: Report): void {
  if (!isFields(server) || !isFields(server["tls"]) || !isFields(server["port"])) return;
  const parsed = protocolName.safeParse(server["port"]["protocol"]);
  const redirects = server["tls"]["httpsRedirect"] === true;
  if (redirects && parsed.success && !HTTP.has(GATEWAY_PROTOCOLS[parsed.data]))
    warn(["tls", "httpsRedirect"], "only has an effect with protocol HTTP");
}
