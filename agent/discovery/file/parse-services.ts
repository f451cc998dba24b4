import { parseDocument } from "yaml";
import * as z from "zod";
import { type CaptureOwner, OWNER_FORM, parseCaptureOwner } from "../../../mesh/model/capture-owner.ts";
import { readinessProbe } from "../../../mesh/model/readiness-probe.schema.ts";
import type { ReadinessProbe } from "../../../mesh/model/readiness-probe.ts";
import { reviewFields } from "../../../mesh/model/schema-notice.ts";
import { describeIssue } from "../../../mesh/model/schema-rule.ts";
import type { Violation } from "../../../mesh/model/violation.ts";
import {
  DISCOVERIES,
  INTERCEPTIONS,
  isLabelValue,
  isLocality,
  isObjectName,
  labelProblem,
  MTLS_DEFAULTS,
  parseHttpProxy,
} from "../../../mesh/model/vocabulary.ts";
import { parseUpstreams, type UpstreamHint } from "../../../mesh/model/vocabulary-upstreams.ts";
import { DEFAULTED, type Defaulted } from "../../../mesh/model/workload.ts";
import { closest } from "../../../mesh/spelling/closest.ts";
import type { LocalService } from "../discovery.ts";
import { isConsulDefinition, parseConsulDefinition } from "./consul-definition.ts";
import type { ParsedServices } from "./parsed-services.ts";

const port = z.number().int().min(1).max(65_535);
const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be up to 63 of a-z, 0-9 and -");
const address = z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address" });
const dotted = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/;

const labels = z.record(z.string(), z.string()).check((context) => {
  for (const [name, value] of Object.entries(context.value)) {
    const problem = labelProblem(name, value);
    if (problem !== undefined)
      context.issues.push({ code: "custom", message: problem, path: [name], input: value });
  }
});

/** One string as in the tag `lateen.upstreams`, or a list of such. */
const upstreams = z
  .union([z.string(), z.array(z.string())], {
    error: "must be host:port[@[address:]port] or host@[address:]port, or a list of such",
  })
  .transform((written, context): readonly UpstreamHint[] => {
    const parsed = parseUpstreams(typeof written === "string" ? written : written.join(","));
    if (typeof parsed !== "string") return parsed;
    context.issues.push({ code: "custom", message: parsed, input: written });
    return z.NEVER;
  });

/** A port, or address:port. */
const httpProxy = z.union([z.string(), z.number()]).transform((written, context) => {
  const parsed = parseHttpProxy(String(written));
  if (parsed !== undefined) return parsed;
  context.issues.push({ code: "custom", message: "must be a port or address:port", input: written });
  return z.NEVER;
});

/** Of our own files a key that there is not is an error. */
const probe = z.unknown().transform((written, context): ReadinessProbe => {
  const parsed = readinessProbe.safeParse(written, { error: describeIssue });
  const unknown = reviewFields(readinessProbe, written).map(({ path, message }) => ({ path, message }));
  for (const { path, message } of [...(parsed.error?.issues ?? []), ...unknown])
    context.issues.push({ code: "custom", path: [...path], message, input: written });
  return parsed.data ?? z.NEVER;
});

const owner = z.string().transform((written, context): CaptureOwner => {
  const parsed = parseCaptureOwner(written);
  if (parsed === undefined) context.issues.push({ code: "custom", message: OWNER_FORM, input: written });
  return parsed ?? z.NEVER;
});

const serviceSchema = z
  .strictObject({
    name: z.string().regex(dotted, "must be letters, digits, “-”, “_” and “.”"),
    /** Unique among the services of this host; default: the name. */
    id: z.string().regex(dotted, "must be letters, digits, “-”, “_” and “.”").optional(),
    namespace: dnsLabel.default("default"),
    serviceAccount: dnsLabel.optional(),
    /** Where others reach it; default: the host's address. */
    address: address.optional(),
    port,
    servicePort: port.optional(),
    appAddress: address.optional(),
    appPort: port.optional(),
    protocol: z.enum(["http", "http2", "grpc", "tcp", "tls"]).default("tcp"),
    labels: labels.default({}),
    upstreams: upstreams.default([]),
    locality: z.string().refine(isLocality, "must be region/zone/subzone").default(""),
    /** Default: the host's. */
    network: z.string().refine(isLabelValue, "must be a network's name").optional(),
    discovery: z.enum(DISCOVERIES).optional(),
    interception: z.enum(INTERCEPTIONS).default("none"),
    owner: owner.optional(),
    httpProxy: httpProxy.optional(),
    /** Its proxy listens at the addresses of other services, which DNS tells. */
    vips: z.boolean().default(false),
    /** What counts where no PeerAuthentication says. */
    mtls: z.enum(MTLS_DEFAULTS).optional(),
    weight: z.number().int().min(1).max(65_535).optional(),
    health: z.enum(["healthy", "unhealthy"]).default("healthy"),
    /** The catalog that has it too: it is an endpoint only as long as that has it. */
    registry: z.enum(["embedded"]).optional(),
    /** Its id there; default: `id`. */
    instanceId: z.string().min(1).optional(),
    /** The WorkloadGroup of its namespace that it is made from. */
    group: z.string().refine(isObjectName, "must be the name of a WorkloadGroup").optional(),
    /** How its application is asked whether it is ready, in a WorkloadGroup's form. */
    probe: probe.optional(),
  })
  .check((context) => {
    const { appAddress, appPort, serviceAccount, name, registry, instanceId } = context.value;
    const complain = (path: string, message: string): void =>
      void context.issues.push({ code: "custom", message, path: [path], input: context.value });
    if (appAddress !== undefined && appPort === undefined) complain("appPort", "is needed beside appAddress");
    if (appPort !== undefined && appAddress === undefined) complain("appAddress", "is needed beside appPort");
    if (context.value.owner !== undefined && context.value.interception === "none")
      complain("interception", "must be redirect beside owner");
    if (instanceId !== undefined && registry === undefined)
      complain("registry", "is needed beside instanceId");
    if (serviceAccount === undefined && !dnsLabel.safeParse(name).success) {
      complain("serviceAccount", `is needed: the name ${name} cannot be one`);
    }
  });
type WrittenService = z.output<typeof serviceSchema>;

const fileSchema = z.strictObject({ services: z.array(serviceSchema) });

const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(fileSchema.shape),
  services: Object.keys(serviceSchema.shape),
};

/**
 * Reads YAML (or JSON, which is YAML) with a list `services`, or service definitions of Consul. Every violation is told with its field path; one is
 * enough for the file not to count. `hostAddress` is the address of services that give none.
 */
export function parseServices(text: string, hostAddress: string): ParsedServices {
  // Found in the middle of being written, or truncated: not a word that there are no services.
  if (text.trim() === "")
    return refuse([violation("", "is empty: write “services: []” when there are none")]);
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    return refuse(document.errors.map(({ message }) => violation("", message.split("\n", 1)[0] ?? "")));
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    return refuse([violation("", error instanceof Error ? error.message : String(error))]);
  }
  const parsed = isConsulDefinition(content)
    ? parseConsulDefinition(content, hostAddress)
    : parseOwn(content, hostAddress);
  if (!parsed.ok) return parsed;
  const clashes = clashesAmong(parsed.services);
  return clashes.length > 0 ? refuse(clashes) : parsed;
}

function parseOwn(content: unknown, hostAddress: string): ParsedServices {
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) return refuse(parsed.error.issues.flatMap(toViolations));
  const services = parsed.data.services.map((written) => toLocalService(written, hostAddress));
  return { ok: true, services, notices: [] };
}

function toLocalService(written: WrittenService, hostAddress: string): LocalService {
  const { name, namespace, port, appAddress, appPort, labels } = written;
  const id = written.id ?? name;
  const { registry, instanceId = id } = written;
  return {
    id,
    service: name,
    namespace,
    serviceAccount: written.serviceAccount ?? name,
    address: { address: written.address ?? hostAddress, port },
    app:
      appAddress === undefined || appPort === undefined ? undefined : { address: appAddress, port: appPort },
    servicePort: written.servicePort ?? port,
    protocol: written.protocol,
    labels: { app: name, ...labels },
    upstreams: written.upstreams,
    healthy: written.health === "healthy",
    weight: written.weight ?? 1,
    locality: written.locality,
    network: written.network ?? "",
    discovery: written.discovery,
    interception: written.interception,
    owner: written.owner,
    httpProxy: written.httpProxy,
    vips: written.vips,
    mtls: written.mtls,
    catalog: registry === undefined ? undefined : { registry, instanceId },
    group: written.group === undefined ? undefined : { name: written.group, defaulted: defaultedOf(written) },
    probe: written.probe,
  };
}

/** What nobody says in the file. */
function defaultedOf({ serviceAccount, weight, labels }: WrittenService): readonly Defaulted[] {
  const said = { serviceAccount, weight, app: labels["app"] };
  return DEFAULTED.filter((field) => said[field] === undefined);
}

/** Two services of one name or at one place cannot both be meant. */
export function clashesAmong(services: readonly LocalService[]): readonly Violation[] {
  const ids = new Map<string, number>();
  const places = new Map<string, number>();
  return services.flatMap(({ namespace, id, address }, index) => {
    const first = take(ids, `${namespace}/${id}`, index);
    const taken = take(places, `${address.address} ${address.port}`, index);
    return [
      ...(first === undefined
        ? []
        : [violation(`services[${index}].id`, `${id} is that of services[${first}] too`)]),
      ...(taken === undefined
        ? []
        : [
            violation(
              `services[${index}].port`,
              `${address.address}:${address.port} is services[${taken}]'s already`,
            ),
          ]),
    ];
  });
}

function take(taken: Map<string, number>, key: string, index: number): number | undefined {
  const first = taken.get(key);
  if (first === undefined) taken.set(key, index);
  return first;
}

function toViolations(issue: z.core.$ZodIssue): readonly Violation[] {
  const path = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("");
  const place = path.replace(/^\./, "");
  if (issue.code !== "unrecognized_keys") return [violation(place, issue.message)];
  const known = KEYS[issue.path[0] === "services" ? "services" : ""] ?? [];
  return issue.keys.map((key) => {
    const near = closest(key, known);
    const guess = near === undefined ? "" : `, did you mean ${near}?`;
    return violation(place === "" ? key : `${place}.${key}`, `there is no such key${guess}`);
  });
}

function refuse(violations: readonly Violation[]): ParsedServices {
  return { ok: false, violations };
}

function violation(path: string, message: string): Violation {
  return { path, message, severity: "error" };
}
