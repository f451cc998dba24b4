import { parsedRoute, routed, to } from "../../test/harness/http-route-specs.ts";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { CorsPolicy } from "./virtual-service.ts";

const CORS: CorsPolicy = {
  allowOrigins: [],
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  maxAgeMs: undefined,
  allowCredentials: undefined,
  unmatchedPreflights: undefined,
};

const good: readonly GoodCase<"VirtualService">[] = [
  {
    name: "CORS",
    spec: {
      hosts: ["a"],
      http: [
        {
          route: [to("reviews")],
          corsPolicy: {
            allowOrigins: [{ exact: "https://a" }, { prefix: "https://b" }, { regex: "https://.*" }],
            allowMethods: ["GET", "*"],
            allowHeaders: ["x-a", "*"],
            exposeHeaders: ["x-b"],
            maxAge: "24h",
            allowCredentials: false,
            unmatchedPreflights: "IGNORE",
          },
        },
        { route: [to("reviews")], corsPolicy: { unmatchedPreflights: "UNSPECIFIED" } },
      ],
    },
    want: {
      http: [
        parsedRoute({
          cors: {
            allowOrigins: [
              { kind: "exact", value: "https://a" },
              { kind: "prefix", value: "https://b" },
              { kind: "regex", value: "https://.*" },
            ],
            allowMethods: ["GET", "*"],
            allowHeaders: ["x-a", "*"],
            exposeHeaders: ["x-b"],
            maxAgeMs: 86_400_000,
            allowCredentials: false,
            unmatchedPreflights: "IGNORE",
          },
        }),
        parsedRoute({ cors: CORS }),
      ],
    },
  },
  {
    name: "CORS in its old form",
    spec: routed({ corsPolicy: { allowOrigin: ["https://a", "*"] } }),
    want: {
      http: [
        parsedRoute({
          cors: {
            ...CORS,
            allowOrigins: [
              { kind: "exact", value: "https://a" },
              { kind: "exact", value: "*" },
            ],
          },
        }),
      ],
    },
    warnings: [["spec.http[0].corsPolicy.allowOrigin", "deprecated"]],
  },
];

const bad: readonly BadCase[] = [
  {
    name: "CORS for origins, methods, headers and ages that are none",
    spec: routed({
      corsPolicy: {
        allowOrigins: [
          {},
          { exact: "" },
          { prefix: "" },
          { regex: "" },
          { regex: "*" },
          { exact: "a", regex: "b" },
        ],
        allowMethods: ["GET", "puto"],
        allowHeaders: ["a b"],
        exposeHeaders: [""],
        maxAge: "1500ms",
        unmatchedPreflights: "DROP",
      },
    }),
    errors: [
      ["spec.http[0].corsPolicy.allowOrigins[0]", "must have one of"],
      ["spec.http[0].corsPolicy.allowOrigins[1].exact", "must not be empty"],
      ["spec.http[0].corsPolicy.allowOrigins[2].prefix", "must not be empty"],
      ["spec.http[0].corsPolicy.allowOrigins[3].regex", "must not be empty"],
      ["spec.http[0].corsPolicy.allowOrigins[4].regex", "not a valid RE2"],
      ["spec.http[0].corsPolicy.allowOrigins[5]", "only one of"],
      ["spec.http[0].corsPolicy.allowMethods[1]", "must be one of GET"],
      ["spec.http[0].corsPolicy.allowHeaders[0]", "is not a header name"],
      ["spec.http[0].corsPolicy.exposeHeaders[0]", "must not be empty"],
      ["spec.http[0].corsPolicy.maxAge", "whole number of seconds"],
      ["spec.http[0].corsPolicy.unmatchedPreflights", "must be one of"],
    ],
  },
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
