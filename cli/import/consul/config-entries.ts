import { z } from "zod";
import { MeshError } from "../../../mesh/errors.ts";
import {
  defaultsSchema,
  type IngressGateway,
  type Intentions,
  ingressSchema,
  intentionsSchema,
  type JwtProvider,
  jwtProviderSchema,
  type ProxyDefaults,
  proxyDefaultsSchema,
  type Resolver,
  type Router,
  resolverSchema,
  routerSchema,
  type ServiceDefaults,
  type Splitter,
  splitterSchema,
} from "./entry-schemas.ts";
import { type RawEntry, withoutNothing } from "./raw-entry.ts";

/** The config entries of a Consul, each kind by itself, and all of them as they were written. */
export interface ConfigEntries {
  readonly intentions: readonly Intentions[];
  readonly jwtProviders: readonly JwtProvider[];
  readonly routers: readonly Router[];
  readonly splitters: readonly Splitter[];
  readonly resolvers: readonly Resolver[];
  readonly defaults: readonly ServiceDefaults[];
  readonly proxyDefaults: readonly ProxyDefaults[];
  readonly ingressGateways: readonly IngressGateway[];
  readonly all: readonly RawEntry[];
}

/** Kinds that have something to be translated. */
export const TRANSLATED_KINDS = [
  "service-intentions",
  "jwt-provider",
  "service-router",
  "service-splitter",
  "service-resolver",
  "service-defaults",
  "proxy-defaults",
  "ingress-gateway",
] as const;

/** Kinds that are asked for so that they are told: Lateen has nothing like them. */
export const UNTRANSLATED_KINDS = [
  "terminating-gateway",
  "mesh",
  "exported-services",
  "sameness-group",
  "api-gateway",
  "http-route",
  "tcp-route",
  "inline-certificate",
  "file-system-certificate",
  "control-plane-request-limit",
] as const;

const entry = z.looseObject({ Kind: z.string().min(1), Name: z.string().min(1) });

/** `source` says where they are from. Throws `object.invalid` for what is no config entry, with the field's path. */
export function parseEntries(written: readonly unknown[], source: string): ConfigEntries {
  const all = written.map((each) => parse(entry, withoutNothing(each), source) as RawEntry);
  const of = <T>(kind: (typeof TRANSLATED_KINDS)[number], schema: z.ZodType<T>): readonly T[] =>
    all
      .filter(({ Kind }) => Kind === kind)
      .map((each) => parse(schema, each, `${source}: ${kind} ${String(each["Name"])}`));
  return {
    intentions: of("service-intentions", intentionsSchema),
    jwtProviders: of("jwt-provider", jwtProviderSchema),
    routers: of("service-router", routerSchema),
    splitters: of("service-splitter", splitterSchema),
    resolvers: of("service-resolver", resolverSchema),
    defaults: of("service-defaults", defaultsSchema),
    proxyDefaults: of("proxy-defaults", proxyDefaultsSchema),
    ingressGateways: of("ingress-gateway", ingressSchema),
    all,
  };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") || "the entry";
  throw new MeshError("object.invalid", `read ${where}: ${path}: ${issue?.message ?? "is not valid"}`, {
    hint: "give it what `consul config read -kind … -name …` prints",
  });
}
