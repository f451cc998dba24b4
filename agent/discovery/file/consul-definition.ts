import * as z from "zod";
import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints } from "../../../mesh/model/vocabulary.ts";
import { defaultedOf, fieldsOf, NO_SERVICE_ACCOUNT } from "../consul/parse-agent.ts";
import { defaultServiceAccount } from "../default-service-account.ts";
import type { LocalService, LocalUpstream } from "../discovery.ts";
import { readChecks } from "./consul-checks.ts";
import type { ParsedServices } from "./parsed-services.ts";
import { canonical, isObject, WrittenObject } from "./written-keys.ts";

/** Keys that only Consul's definitions have: one of them tells whose a list of services is. */
const CONSULS = new Set(
  [
    "tags",
    "meta",
    "check",
    "checks",
    "connect",
    "kind",
    "proxy",
    "token",
    "enable_tag_override",
    "tagged_addresses",
    "weights",
    "socket_path",
    "partition",
  ].map(canonical),
);

const schema = z.object({
  name: z
    .string({ error: "must be the service's name" })
    .regex(/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/, {
      error: "must be letters, digits, “-”, “_” and “.”",
    }),
  id: z.string().optional(),
  address: z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address" }).optional(),
  port: z.int({ error: "must be a port" }).min(1).max(65_535),
  namespace: z.string().optional(),
  tags: z.array(z.string(), { error: "must be a list of texts" }).default([]),
  meta: z.record(z.string(), z.string(), { error: "must have texts alone" }).default({}),
});

/** Whether a parsed file is a service definition of Consul: `service`, or `services` with Consul's keys in them. */
export function isConsulDefinition(content: unknown): boolean {
  if (!isObject(content)) return false;
  const file = new WrittenObject(content, "");
  if (isObject(file.get("service"))) return true;
  const services = file.get("services");
  if (!Array.isArray(services)) return false;
  return services.some((service) => isObject(service) && Object.keys(service).some((key) => isConsuls(key)));
}

/** `Name` and `ID` as Consul's API writes them; our own keys begin with a small letter. */
function isConsuls(key: string): boolean {
  return CONSULS.has(canonical(key)) || /^[A-Z]/.test(key);
}

/**
 * Reads service definitions of Consul as they are. Whoever puts one here wants it in the mesh: it need not say
 * `lateen.inject`, but `lateen.inject=false` keeps it out. Its Lateen tags count, `check` is how it is asked, and the
 * upstreams of its `connect.sidecar_service` are its own. What means nothing here is named in `notices`.
 */
export function parseConsulDefinition(content: unknown, hostAddress: string): ParsedServices {
  const file = new WrittenObject(isObject(content) ? content : {}, "");
  const reader = new Reader(hostAddress);
  const one = file.inner("service");
  if (one !== undefined) reader.read(one);
  const many = file.get("services");
  for (const [index, raw] of (Array.isArray(many) ? many : []).entries()) {
    const path = `services[${index}]`;
    if (isObject(raw)) reader.read(new WrittenObject(raw, path));
    else reader.refuse(path, "must be an object");
  }
  for (const path of file.unread()) reader.passOver(path, "means nothing here");
  return reader.result();
}

class Reader {
  readonly #hostAddress: string;
  readonly #services: LocalService[] = [];
  readonly #notices: Violation[] = [];
  readonly #violations: Violation[] = [];

  constructor(hostAddress: string) {
    this.#hostAddress = hostAddress;
  }

  result(): ParsedServices {
    return this.#violations.length > 0
      ? { ok: false, violations: this.#violations }
      : { ok: true, services: this.#services, notices: this.#notices };
  }

  refuse(path: string, message: string): void {
    this.#violations.push({ path, message, severity: "error" });
  }

  passOver(path: string, message: string): void {
    this.#notices.push({ path, message, severity: "warning" });
  }

  read(written: WrittenObject): void {
    const kind = written.get("kind");
    if (kind !== undefined && kind !== "typical") {
      this.passOver(
        written.pathOf("kind"),
        `is ${JSON.stringify(kind)}: Consul's own proxies and gateways are left out`,
      );
      return;
    }
    const keys = Object.keys(schema.shape);
    const parsed = schema.safeParse(Object.fromEntries(keys.map((key) => [key, written.get(key)])));
    if (!parsed.success) {
      for (const { path, message } of parsed.error.issues)
        this.refuse(written.pathOf(path.map(String).join(".")), message);
      return;
    }
    const service = this.#serviceOf(written, parsed.data);
    for (const path of written.unread()) this.passOver(path, "means nothing here");
    if (service !== undefined) this.#services.push(service);
  }

  #serviceOf(written: WrittenObject, given: z.output<typeof schema>): LocalService | undefined {
    const { name, tags, meta, port, namespace = null } = given;
    const { hints, problems } = parseServiceHints(name, tags, meta);
    for (const { path, message, severity } of problems) {
      const at = `${written.path === "" ? "" : `${written.path}: `}${path}`;
      if (severity === "error") this.refuse(at, message);
      else this.passOver(at, message);
    }
    if (tags.includes("lateen.inject=false") || meta["lateen-inject"] === "false") {
      this.passOver(written.path, `says that ${name} is not to be in the mesh (lateen.inject=false)`);
      return undefined;
    }
    const serviceAccount = hints.serviceAccount ?? defaultServiceAccount(name);
    if (serviceAccount === undefined) {
      this.refuse(written.pathOf("name"), NO_SERVICE_ACCOUNT.message);
      return undefined;
    }
    const passing = written.inner("weights")?.get("passing");
    const Weights = typeof passing === "number" ? { Passing: passing } : null;
    const entry = { Service: name, Namespace: namespace, Port: port, Weights };
    const { probe, passedOver } = readChecks(written);
    for (const { path, message } of passedOver) this.passOver(path, message);
    const fields = fieldsOf(entry, hints, true);
    return {
      ...fields,
      id: given.id ?? name,
      serviceAccount,
      address: { address: given.address ?? this.#hostAddress, port },
      upstreams: [...fields.upstreams, ...this.#connectUpstreams(written)],
      catalog: undefined,
      group:
        hints.group === undefined ? undefined : { name: hints.group, defaulted: defaultedOf(hints, entry) },
      probe,
    };
  }

  /** Consul's sidecars name a service and a port on loopback; the service's own port is not known there. */
  #connectUpstreams(written: WrittenObject): readonly LocalUpstream[] {
    const connect = written.inner("connect");
    const sidecar = connect?.inner("sidecar_service");
    const proxy = sidecar?.inner("proxy");
    const upstreams = proxy?.get("upstreams");
    const read = (Array.isArray(upstreams) ? upstreams : []).flatMap((raw: unknown, index) => {
      const path = `${proxy?.pathOf("upstreams")}[${index}]`;
      const upstream = new WrittenObject(isObject(raw) ? raw : {}, path);
      const host = upstream.get("destination_name");
      const bindPort = upstream.get("local_bind_port");
      const address = upstream.get("local_bind_address");
      const type = upstream.get("destination_type") ?? "service";
      const isPlain = typeof host === "string" && /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(host);
      if (!isPlain || typeof bindPort !== "number" || type !== "service") {
        this.passOver(
          path,
          "is no upstream that can be had here: it wants destination_name and local_bind_port",
        );
        return [];
      }
      for (const unread of upstream.unread()) this.passOver(unread, "means nothing here");
      const bindAddress = typeof address === "string" ? address : undefined;
      return [{ host, port: 0, bindAddress, bindPort }];
    });
    for (const part of [connect, sidecar, proxy])
      for (const path of part?.unread() ?? []) this.passOver(path, "means nothing here");
    return read;
  }
}
