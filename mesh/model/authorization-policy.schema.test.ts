import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const SOURCE = {
  principals: [],
  notPrincipals: [],
  requestPrincipals: [],
  notRequestPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  ipBlocks: [],
  notIpBlocks: [],
  remoteIpBlocks: [],
  notRemoteIpBlocks: [],
  trustDomains: [],
  notTrustDomains: [],
};
const OPERATION = {
  hosts: [],
  notHosts: [],
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
};

const good: readonly GoodCase<"AuthorizationPolicy">[] = [
  { name: "nothing is allowed", spec: {}, want: { selector: {}, action: "ALLOW", provider: "", rules: [] } },
  { name: "everything is allowed", spec: { rules: [{}] }, want: { rules: [{ from: [], to: [], when: [] }] } },
  {
    name: "from, to and when",
    spec: {
      selector: { matchLabels: { app: "ratings" } },
      action: "DENY",
      rules: [
        {
          from: [
            { source: { principals: ["cluster.local/ns/default/sa/bookinfo-productpage", "*"] } },
            { source: { serviceAccounts: ["shop/web", "api"], notIpBlocks: ["10.0.0.0/8", "::1"] } },
          ],
          to: [{ operation: { methods: ["GET"], paths: ["/r/*", "/a/{*}/b/{**}"], ports: ["9080"] } }],
          when: [
            { key: "request.headers[version]", values: ["v1", "v2"] },
            { key: "source.ip", notValues: ["10.1.0.0/16"] },
            { key: "request.auth.claims[iss][0]", values: ["a"] },
          ],
        },
      ],
    },
    want: {
      selector: { app: "ratings" },
      action: "DENY",
      rules: [
        {
          from: [
            { ...SOURCE, principals: ["cluster.local/ns/default/sa/bookinfo-productpage", "*"] },
            { ...SOURCE, serviceAccounts: ["shop/web", "api"], notIpBlocks: ["10.0.0.0/8", "::1"] },
          ],
          to: [{ ...OPERATION, methods: ["GET"], paths: ["/r/*", "/a/{*}/b/{**}"], ports: ["9080"] }],
          when: [
            { key: "request.headers[version]", values: ["v1", "v2"], notValues: [] },
            { key: "source.ip", values: [], notValues: ["10.1.0.0/16"] },
            { key: "request.auth.claims[iss][0]", values: ["a"], notValues: [] },
          ],
        },
      ],
    },
  },
  {
    name: "a provider is asked",
    spec: { action: "CUSTOM", provider: { name: "opa" }, rules: [{}] },
    want: { action: "CUSTOM", provider: "opa" },
  },
  {
    name: "a DENY rule of HTTP attributes alone denies all of TCP",
    spec: {
      action: "DENY",
      rules: [
        { to: [{ operation: { methods: ["GET"] } }], from: [{ source: { namespaces: ["a"] } }] },
        { from: [{ source: { requestPrincipals: ["*"] } }] },
        { from: [{ source: { notNamespaces: ["a"] } }] },
        { to: [{ operation: { methods: ["GET"], ports: ["80"] } }] },
        { when: [{ key: "request.headers[a]", values: ["b"] }] },
      ],
    },
    warnings: [
      ["spec.rules[0]", "denies all calls of TCP ports"],
      ["spec.rules[1]", "denies all calls of TCP ports"],
    ],
  },
  {
    name: "a principal with its scheme never matches",
    spec: { rules: [{ from: [{ source: { principals: ["spiffe://cluster.local/ns/a/sa/b"] } }] }] },
    warnings: [["spec.rules[0].from[0].source.principals[0]", "without `spiffe://`"]],
  },
];

function from(source: unknown): object {
  return { rules: [{ from: [{ source }] }] };
}
function to(operation: unknown): object {
  return { rules: [{ to: [{ operation }] }] };
}
const FROM = "spec.rules[0].from[0].source";
const TO = "spec.rules[0].to[0].operation";

const bad: readonly BadCase[] = [
  {
    name: "an unknown action",
    spec: { action: "Deny", rules: [{}] },
    errors: [["spec.action", "did you mean `DENY`?"]],
  },
  {
    name: "DENY without rules",
    spec: { action: "DENY" },
    errors: [["spec.rules", "is required with action DENY"]],
  },
  {
    name: "CUSTOM without a provider or rules",
    spec: { action: "CUSTOM" },
    errors: [
      ["spec.provider.name", "is required with action CUSTOM"],
      ["spec.rules", "is required with action CUSTOM"],
    ],
  },
  {
    name: "CUSTOM by who calls, which nobody knows yet when the provider is asked",
    spec: {
      action: "CUSTOM",
      provider: { name: "opa" },
      rules: [
        { from: [{ source: { notPrincipals: ["a"], ipBlocks: ["10.0.0.0/8"] } }] },
        {
          when: [
            { key: "request.auth.claims[a]", values: ["b"] },
            { key: "source.ip", values: ["::1"] },
          ],
        },
      ],
    },
    errors: [
      ["spec.rules[0].from[0].source.notPrincipals", "must not be set with action CUSTOM"],
      ["spec.rules[1].when[0].key", "must not be set with action CUSTOM"],
    ],
  },
  {
    name: "ALLOW with a provider",
    spec: { provider: { name: "opa" }, rules: [{}] },
    errors: [["spec.provider", "must not be set with action ALLOW"]],
  },
  { name: "an empty source", spec: from({}), errors: [[FROM, "at least one field"]] },
  { name: "an empty operation", spec: to({}), errors: [[TO, "at least one field"]] },
  {
    name: "a misspelt field alone",
    spec: from({ principal: ["a"] }),
    errors: [[FROM, "at least one field"]],
  },
  {
    name: "parts without content",
    spec: {
      rules: [
        { from: [], to: [], when: [{ key: "source.ip" }] },
        { from: [{}], to: [{}] },
      ],
    },
    errors: [
      ["spec.rules[0].from", "at least 1 entry"],
      ["spec.rules[0].to", "at least 1 entry"],
      ["spec.rules[0].when[0]", "must have values or notValues"],
      ["spec.rules[1].from[0].source", "is required"],
      ["spec.rules[1].to[0].operation", "is required"],
    ],
  },
  {
    name: "nulls, which might mean everything",
    spec: { rules: [{ from: null, to: [{ operation: null }] }, null] },
    errors: [
      ["spec.rules[0].from", "must not be null"],
      ["spec.rules[0].to[0].operation", "must not be null"],
      ["spec.rules[1]", "must not be null"],
    ],
  },
  {
    name: "values that are empty or of another form",
    spec: from({
      principals: [""],
      namespaces: [],
      ipBlocks: ["10.0.0.1/40", "example.com"],
      remoteIpBlocks: ["1.2.3"],
    }),
    errors: [
      [`${FROM}.principals[0]`, "must not be empty"],
      [`${FROM}.namespaces`, "at least 1 entry"],
      [`${FROM}.ipBlocks[0]`, "is not an IP address"],
      [`${FROM}.ipBlocks[1]`, "is not an IP address"],
      [`${FROM}.remoteIpBlocks[0]`, "is not an IP address"],
    ],
  },
  {
    name: "service accounts beside principals, or of another form",
    spec: {
      rules: [
        { from: [{ source: { serviceAccounts: ["a/b"], namespaces: ["a"] } }] },
        { from: [{ source: { serviceAccounts: ["a/b/c", "*"] } }] },
      ],
    },
    errors: [
      [FROM, "must not have serviceAccounts beside"],
      ["spec.rules[1].from[0].source.serviceAccounts[0]", "is not a service account"],
      ["spec.rules[1].from[0].source.serviceAccounts[1]", "is not a service account"],
    ],
  },
  {
    name: "trust domains that an authorizer is to be asked about",
    spec: {
      action: "CUSTOM",
      provider: { name: "door" },
      rules: [{ from: [{ source: { trustDomains: ["td"] } }, { source: { notTrustDomains: ["td"] } }] }],
    },
    errors: [
      [`${FROM}.trustDomains`, "must not be set with action CUSTOM"],
      ["spec.rules[0].from[1].source.notTrustDomains", "must not be set with action CUSTOM"],
    ],
  },
  {
    name: "target references, which would be left out",
    spec: { targetRefs: [{ kind: "Gateway", name: "a" }], rules: [{}] },
    errors: [["spec.targetRefs", "workloads that it is not for"]],
  },
  {
    name: "ports and paths that are none",
    spec: to({ ports: ["http", "0", "65536"], paths: ["/{id}", "/{**}/{*}", "/a{*}"], notPorts: [80] }),
    errors: [
      [`${TO}.ports[0]`, "is not a port"],
      [`${TO}.ports[1]`, "is not a port"],
      [`${TO}.ports[2]`, "is not a port"],
      [`${TO}.paths[0]`, "is not a path"],
      [`${TO}.paths[1]`, "is not a path"],
      [`${TO}.paths[2]`, "is not a path"],
      [`${TO}.notPorts[0]`, 'write it in quotes, "80"'],
    ],
  },
  {
    name: "conditions on what there is not, or with values of another form",
    spec: {
      rules: [
        {
          when: [
            { key: "source.principle", values: ["a"] },
            { key: "source.user", values: ["a"] },
            { key: "request.headers[]", values: ["a"] },
            { key: "source.ip", values: ["a"] },
            { key: "destination.port", notValues: ["80", "x"] },
            { values: ["a"] },
            { key: "constructor", values: ["a"] },
          ],
        },
      ],
    },
    errors: [
      ["spec.rules[0].when[0].key", "did you mean `source.principal`?"],
      ["spec.rules[0].when[1].key", "use source.principal"],
      ["spec.rules[0].when[2].key", "is not a key of a condition"],
      ["spec.rules[0].when[3].values[0]", "is not an IP address"],
      ["spec.rules[0].when[4].notValues[1]", "is not a port"],
      ["spec.rules[0].when[5].key", "is required"],
      ["spec.rules[0].when[6].key", "is not a key of a condition"],
    ],
  },
];

testKind("AuthorizationPolicy", "security.istio.io/v1beta1", { good, bad });
