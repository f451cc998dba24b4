import { z } from "zod";

/** What is read of Consul's config entries (api/config_entry*.go of Consul); what is not read is reported by its path. */

const text = z.string().optional();
const flag = z.boolean().default(false);
const number = z.number().optional();
const texts = z.array(z.string()).default([]);
/** Consul prints a duration as text, or as nanoseconds where Go does. */
const duration = z
  .union([z.string(), z.number().transform((nanoseconds) => `${nanoseconds / 1e6}ms`)])
  .optional();
const headerEdits = z
  .object({
    Add: z.record(z.string(), z.string()).optional(),
    Set: z.record(z.string(), z.string()).optional(),
    Remove: z.array(z.string()).optional(),
  })
  .optional();

const named = { Name: z.string(), Namespace: text, Partition: text };

const jwt = z
  .object({
    Providers: z
      .array(
        z.object({
          Name: z.string(),
          VerifyClaims: z.array(z.object({ Path: texts, Value: z.string() })).default([]),
        }),
      )
      .default([]),
  })
  .optional();

/** Those of a permission keep what is not read: an unknown condition must not make it wider. */
const permissionHeader = z.looseObject({
  Name: z.string(),
  Present: flag,
  Exact: text,
  Prefix: text,
  Suffix: text,
  Contains: text,
  Regex: text,
  Invert: flag,
  IgnoreCase: flag,
});

const action = z.enum(["allow", "deny"]);

const permission = z.looseObject({
  Action: action,
  HTTP: z
    .looseObject({
      PathExact: text,
      PathPrefix: text,
      PathRegex: text,
      Methods: texts,
      Header: z.array(permissionHeader).default([]),
    })
    .optional(),
  JWT: jwt,
});

export const intentionsSchema = z.object({
  ...named,
  JWT: jwt,
  Sources: z
    .array(
      z.object({
        ...named,
        Peer: text,
        SamenessGroup: text,
        Action: action.optional(),
        Permissions: z.array(permission).default([]),
      }),
    )
    .default([]),
});

export const jwtProviderSchema = z.object({
  ...named,
  Issuer: text,
  Audiences: texts,
  JSONWebKeySet: z
    .object({
      Local: z.object({ JWKS: text, Filename: text }).optional(),
      Remote: z.object({ URI: text }).optional(),
    })
    .optional(),
  Locations: z
    .array(
      z.object({
        Header: z.object({ Name: z.string(), ValuePrefix: text, Forward: flag }).optional(),
        QueryParam: z.object({ Name: z.string() }).optional(),
        Cookie: z.object({ Name: z.string() }).optional(),
      }),
    )
    .default([]),
  Forwarding: z.object({ HeaderName: text }).optional(),
});

const routerHeader = z.object({
  Name: z.string(),
  Present: flag,
  Exact: text,
  Prefix: text,
  Suffix: text,
  Regex: text,
  Invert: flag,
});

const routeMatch = z.object({
  PathExact: text,
  PathPrefix: text,
  PathRegex: text,
  CaseInsensitive: flag,
  Header: z.array(routerHeader).default([]),
  QueryParam: z.array(z.object({ Name: z.string(), Present: flag, Exact: text, Regex: text })).default([]),
  Methods: texts,
});

const routeDestination = z.object({
  Service: text,
  ServiceSubset: text,
  Namespace: text,
  PrefixRewrite: text,
  RequestTimeout: duration,
  NumRetries: number,
  RetryOnConnectFailure: flag,
  RetryOn: texts,
  RetryOnStatusCodes: z.array(z.number()).default([]),
  RequestHeaders: headerEdits,
  ResponseHeaders: headerEdits,
});

export const routerSchema = z.object({
  ...named,
  Routes: z
    .array(
      z.object({
        Match: z.object({ HTTP: routeMatch.optional() }).optional(),
        Destination: routeDestination.default(routeDestination.parse({})),
      }),
    )
    .default([]),
});

export const splitterSchema = z.object({
  ...named,
  Splits: z
    .array(
      z.object({
        Weight: z.number().default(0),
        Service: text,
        ServiceSubset: text,
        Namespace: text,
        RequestHeaders: headerEdits,
        ResponseHeaders: headerEdits,
      }),
    )
    .default([]),
});

const loadBalancer = z.object({
  Policy: text,
  RingHashConfig: z.object({ MinimumRingSize: number }).optional(),
  HashPolicies: z
    .array(
      z.object({
        Field: text,
        FieldValue: text,
        SourceIP: flag,
        CookieConfig: z.object({ Session: flag, TTL: duration, Path: text }).optional(),
      }),
    )
    .default([]),
});

export const resolverSchema = z.object({
  ...named,
  DefaultSubset: text,
  Subsets: z.record(z.string(), z.object({ Filter: text })).default({}),
  Redirect: z.object({ Service: text, ServiceSubset: text, Namespace: text }).optional(),
  ConnectTimeout: duration,
  RequestTimeout: duration,
  LoadBalancer: loadBalancer.optional(),
});

const upstream = z.object({
  ConnectTimeoutMs: number,
  Limits: z
    .object({ MaxConnections: number, MaxPendingRequests: number, MaxConcurrentRequests: number })
    .optional(),
  PassiveHealthCheck: z
    .object({
      Interval: duration,
      MaxFailures: number,
      BaseEjectionTime: duration,
      MaxEjectionPercent: number,
    })
    .optional(),
});

export const defaultsSchema = z.object({
  ...named,
  Protocol: text,
  MutualTLSMode: text,
  MaxInboundConnections: number,
  UpstreamConfig: z
    .object({ Overrides: z.array(upstream.extend({ Name: z.string(), Namespace: text })).default([]) })
    .optional(),
});

export const proxyDefaultsSchema = z.object({
  ...named,
  MutualTLSMode: text,
  Config: z.looseObject({ protocol: text }).optional(),
});

export const ingressSchema = z.object({
  ...named,
  TLS: z.object({ Enabled: flag }).optional(),
  Listeners: z
    .array(
      z.object({
        Port: z.number(),
        Protocol: z.string().default("tcp"),
        TLS: z.object({ Enabled: flag }).optional(),
        Services: z
          .array(
            z.object({
              Name: z.string(),
              Namespace: text,
              Hosts: texts,
              RequestHeaders: headerEdits,
              ResponseHeaders: headerEdits,
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});

export type Intentions = z.infer<typeof intentionsSchema>;
export type Permission = z.infer<typeof permission>;
export type JwtRequirement = z.infer<typeof jwt>;
export type JwtProvider = z.infer<typeof jwtProviderSchema>;
export type Router = z.infer<typeof routerSchema>;
export type Route = Router["Routes"][number];
export type RouteMatch = z.infer<typeof routeMatch>;
export type Splitter = z.infer<typeof splitterSchema>;
export type Resolver = z.infer<typeof resolverSchema>;
export type LoadBalancerEntry = z.infer<typeof loadBalancer>;
export type Upstream = z.infer<typeof upstream>;
export type ServiceDefaults = z.infer<typeof defaultsSchema>;
export type ProxyDefaults = z.infer<typeof proxyDefaultsSchema>;
export type IngressGateway = z.infer<typeof ingressSchema>;
export type HeaderEdits = z.infer<typeof headerEdits>;
