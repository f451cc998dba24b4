import * as z from "zod";
import type { ConsistentHash, LoadBalancer, Warmup } from "./destination-rule.ts";
import { localityLbSetting, zoneAwareLbSetting } from "./locality-load-balancing.schema.ts";
import { duration, optionalText, percentage, textThat } from "./scalars.schema.ts";
import { withNotice, withReview, writtenField } from "./schema-notice.ts";
import { presenceRule, type Report, rule } from "./schema-rule.ts";

const BALANCERS = {
  ROUND_ROBIN: "ROUND_ROBIN",
  LEAST_REQUEST: "LEAST_REQUEST",
  /** The old name. */
  LEAST_CONN: "LEAST_REQUEST",
  RANDOM: "RANDOM",
  PASSTHROUGH: "PASSTHROUGH",
  UNSPECIFIED: undefined,
} as const;

/** Envoy's own bound of a hash ring. */
const LARGEST_RING = 8 * 1024 * 1024;
/** Envoy's own bound of a Maglev table. */
const LARGEST_TABLE = 5_000_011;

const HASH_KEYS = ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"] as const;

const httpName = textThat((name) => !/[\s\0]/.test(name), "a name: it has a space");
const ringSize = z.int().min(0).max(LARGEST_RING);

const cookie = z
  .object({
    name: httpName,
    path: optionalText,
    ttl: duration(0).optional(),
    attributes: z.array(z.object({ name: httpName, value: optionalText })).default([]),
  })
  .check(
    rule(["attributes"], ({ attributes }, report) => {
      const seen = new Set<string>();
      for (const [index, { name }] of attributes.entries()) {
        if (seen.has(name)) report(["attributes", index, "name"], `names attribute ${name} a second time`);
        seen.add(name);
      }
    }),
  );

const maglev = z.object({
  tableSize: z
    .int()
    .min(1)
    .max(LARGEST_TABLE - 1)
    .refine(isPrime, { error: "must be a prime number" }),
});

const hashFields = z.object({
  httpHeaderName: httpName.optional(),
  httpCookie: cookie.optional(),
  useSourceIp: z.boolean().optional(),
  httpQueryParameterName: httpName.optional(),
  ringHash: z.object({ minimumRingSize: ringSize.optional() }).optional(),
  maglev: maglev.optional(),
  minimumRingSize: withNotice(ringSize.optional(), (value) =>
    value === undefined ? undefined : "is deprecated: use ringHash.minimumRingSize",
  ),
});

/** ConsistentHashLB. Without a key, any endpoint is as good as another: undefined. */
const consistentHash = withNotice(
  hashFields
    .check(
      presenceRule((present, report) => {
        const keys = HASH_KEYS.filter((key) => present.has(key));
        if (keys.length > 1) report([], `must have only one key, not ${keys.join(" and ")}`);
        if (present.has("ringHash") && present.has("maglev"))
          report([], "must have only one of ringHash and maglev");
      }),
      rule(["minimumRingSize", "ringHash", "maglev"], ({ minimumRingSize = 0, ringHash, maglev }, report) => {
        if (minimumRingSize !== 0 && (ringHash ?? maglev) !== undefined)
          report(["minimumRingSize"], "must not be together with ringHash or maglev");
      }),
    )
    .transform((fields): ConsistentHash | undefined => {
      const key = hashKey(fields);
      return key === undefined ? undefined : { key, algorithm: hashAlgorithm(fields) };
    }),
  (value) =>
    HASH_KEYS.every((key) => [undefined, false].includes(writtenField(value, key) as undefined))
      ? "has no key, so endpoints are chosen at random"
      : undefined,
);

const warmup: z.ZodType<Warmup> = z
  .object({
    duration: duration(1),
    minimumPercent: percentage.optional(),
    aggression: z.number().gt(0, { error: "must be above 0" }).optional(),
  })
  .transform(({ duration: durationMs, minimumPercent, aggression }) => ({
    durationMs,
    minimumPercent,
    aggression,
  }));

/** LoadBalancerSettings. */
export const loadBalancer: z.ZodType<LoadBalancer> = withReview(
  z
    .object({
      simple: z
        .enum(["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"])
        .optional(),
      consistentHash: consistentHash.optional(),
      localityLbSetting: localityLbSetting.optional(),
      zoneAwareLbSetting: zoneAwareLbSetting.optional(),
      warmup: warmup.optional(),
      warmupDurationSecs: duration(1).optional(),
    })
    .check(
      presenceRule((present, report) => {
        const exclusive = [
          ["simple", "consistentHash"],
          ["localityLbSetting", "zoneAwareLbSetting"],
          ["warmup", "warmupDurationSecs"],
        ] as const;
        for (const [one, other] of exclusive) {
          if (present.has(one) && present.has(other)) report([], `must have only one of ${one} and ${other}`);
        }
      }),
    )
    .transform((fields) => {
      const durationMs = fields.warmupDurationSecs;
      const old = durationMs && { durationMs, minimumPercent: undefined, aggression: undefined };
      const keyless = "consistentHash" in fields && fields.consistentHash === undefined;
      return {
        simple: keyless ? "RANDOM" : BALANCERS[fields.simple ?? "UNSPECIFIED"],
        consistentHash: fields.consistentHash,
        locality: fields.localityLbSetting ?? fields.zoneAwareLbSetting,
        warmup: fields.warmup ?? (old || undefined),
      };
    }),
  reviewWarmup,
);

/** Envoy has a slow start for two of its balancers. */
function reviewWarmup(written: unknown, warn: Report): void {
  const simple = writtenField(written, "simple");
  const hashed = writtenField(written, "consistentHash") !== undefined;
  if (!hashed && simple !== "RANDOM") return;
  for (const field of ["warmup", "warmupDurationSecs"]) {
    if (writtenField(written, field) !== undefined)
      warn(
        [field],
        `has no effect with ${hashed ? "consistentHash" : "RANDOM"}: only ROUND_ROBIN and LEAST_REQUEST warm up`,
      );
  }
}

function hashKey(fields: z.infer<typeof hashFields>): ConsistentHash["key"] | undefined {
  const { httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName } = fields;
  if (httpHeaderName !== undefined) return { kind: "header", name: httpHeaderName };
  if (httpQueryParameterName !== undefined) return { kind: "query", name: httpQueryParameterName };
  if (useSourceIp === true) return { kind: "source-ip" };
  if (httpCookie === undefined) return undefined;
  const { name, path, ttl: ttlMs, attributes } = httpCookie;
  return { kind: "cookie", name, path, ttlMs, attributes };
}

function hashAlgorithm(fields: z.infer<typeof hashFields>): ConsistentHash["algorithm"] {
  if (fields.maglev !== undefined) return { kind: "maglev", tableSize: fields.maglev.tableSize };
  const size = fields.ringHash?.minimumRingSize ?? fields.minimumRingSize ?? 0;
  return { kind: "ring", minimumRingSize: size === 0 ? undefined : size };
}

/** Maglev's table must have a prime size; 1 counts, as in Envoy. */
function isPrime(size: number): boolean {
  if (size < 4) return size > 0;
  if (size % 2 === 0) return false;
  for (let factor = 3; factor * factor <= size; factor += 2) {
    if (size % factor === 0) return false;
  }
  return true;
}
