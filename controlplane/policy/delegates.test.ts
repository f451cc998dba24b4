import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_MESH_CONFIG } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { objects, sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { type ExpandedRoutes, expandDelegates } from "./delegates.ts";
import { mirrorsOf } from "./mirrors.ts";

const ROUTE = "route: [{ destination: { host: reviews } }]";

/** Flow YAML of the route that delegates (without `delegate`) and of those of the delegate. */
function expand(
  root: string,
  child: string,
  { spec = "", namespace = "team", defaultExportTo = [] as readonly string[] } = {},
): ExpandedRoutes {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ delegate: { name: part, namespace: ${namespace} }${root === "" ? "" : `, ${root}`} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: part, namespace: team }
spec: { ${spec === "" ? "" : `${spec}, `}http: [{ ${ROUTE}${child === "" ? "" : `, ${child}`} }] }
`;
  const mesh = { ...DEFAULT_MESH_CONFIG, defaultVirtualServiceExportTo: defaultExportTo };
  const view = viewOf(sampleState({ yaml, settings: { mesh } }).next().snapshot);
  const [root1] = objects(yaml) as readonly StoredObject<"VirtualService">[];
  assert.ok(root1);
  return expandDelegates(view, root1);
}

/** Whether a delegate's route with a match fits into one of the root with another. */
const fits: readonly (readonly [root: string, child: string, fits: boolean])[] = [
  ["{}", "{ uri: { prefix: /a } }", true],
  ["{ uri: { prefix: /a } }", "{}", true],
  ["{ uri: { prefix: /a } }", "{ uri: { prefix: /a/b } }", true],
  ["{ uri: { prefix: /a } }", "{ uri: { exact: /ab } }", true],
  ["{ uri: { prefix: /a/b } }", "{ uri: { prefix: /a } }", false],
  ["{ uri: { prefix: /a } }", "{ uri: { exact: /b } }", false],
  ["{ uri: { exact: /a } }", "{ uri: { exact: /a } }", true],
  ["{ uri: { exact: /a } }", "{ uri: { exact: /b } }", false],
  ["{ uri: { exact: /a } }", "{ uri: { prefix: /a } }", false],
  ['{ uri: { regex: "/a.*" } }', "{ uri: { prefix: /a } }", false],
  ["{ uri: { prefix: /a } }", '{ uri: { regex: "/a.*" } }', false],
  ['{ uri: { regex: "/a.*" } }', "{ method: { exact: GET } }", true],
  ["{ method: { exact: GET } }", "{ method: { exact: PUT } }", false],
  ["{ authority: { prefix: a } }", "{ authority: { prefix: ab } }", true],
  ["{ scheme: { exact: http } }", "{ scheme: { exact: https } }", false],
  ["{ headers: { a: { exact: x } } }", "{ headers: { b: { exact: y } } }", true],
  ["{ headers: { a: { exact: x } } }", "{ headers: { a: { exact: y } } }", false],
  ["{ withoutHeaders: { a: { exact: x } } }", "{ withoutHeaders: { a: { exact: y } } }", false],
  ["{ queryParams: { a: { exact: x } } }", "{ queryParams: { a: { exact: y } } }", false],
  ["{ uri: { prefix: /a }, ignoreUriCase: true }", "{ uri: { prefix: /a } }", false],
  ["{ port: 80 }", "{ port: 81 }", false],
  ["{ port: 80 }", "{ uri: { prefix: /a } }", true],
  ["{ sourceLabels: { app: a } }", "{ sourceLabels: { version: v1 } }", true],
  ["{ sourceLabels: { app: a } }", "{ sourceLabels: { app: b } }", false],
  ["{ sourceNamespace: a }", "{ sourceNamespace: a }", true],
  ["{ sourceNamespace: a }", "{}", false],
  ["{ gateways: [mesh, default/edge] }", "{ gateways: [default/edge] }", true],
  ["{ gateways: [default/edge] }", "{ gateways: [mesh] }", false],
  ["{ gateways: [edge] }", "{ gateways: [edge] }", false],
];
for (const [root, child, want] of fits) {
  test(`a delegate's ${child} ${want ? "fits into" : "conflicts with"} the root's ${root}`, () => {
    const { routes, problems } = expand(`match: [${root}]`, `match: [${child}]`);
    assert.deepEqual([routes.length, problems.length], want ? [1, 0] : [0, 1]);
  });
}

test("a match of the delegate is merged with each of the root's that it fits into", () => {
  const { routes } = expand(
    "name: r, match: [{ name: m, uri: { prefix: /a }, headers: { x: {} }, statPrefix: s }, { uri: { prefix: /b } }]",
    "name: c, match: [{ name: n, uri: { prefix: /a/c }, headers: { y: {} } }, { method: { exact: GET } }]",
  );
  assert.deepEqual(
    routes.map(({ route }) => [
      route.name,
      route.match.map(({ name, uri, headers, method, statPrefix }) =>
        [
          name,
          uri?.kind === "prefix" && uri.value,
          Object.keys(headers).join(),
          method?.kind ?? "-",
          statPrefix,
        ].join(" "),
      ),
    ]),
    [["r-c", ["m-n /a/c x,y - s", "m /a x exact s", " /b  exact "]]],
  );
});

test("one match of a delegate's route that fits nowhere drops the whole route", () => {
  const { routes } = expand(
    "match: [{ uri: { prefix: /a } }]",
    "match: [{ uri: { prefix: /a/b } }, { uri: { prefix: /c } }]",
  );
  assert.deepEqual(routes, []);
});

test("a delegate with which matches would multiply beyond a bound is left out, and the reason is told", () => {
  const matches = (count: number, field: string): string =>
    `match: [${Array.from({ length: count }, (_, index) => `{ ${field}: { exact: /${index} } }`).join(", ")}]`;
  const within = expand(matches(100, "uri"), matches(100, "authority"));
  assert.deepEqual([within.routes[0]?.route.match.length, within.problems], [10_000, []]);
  const beyond = expand(matches(101, "uri"), matches(100, "authority"));
  assert.deepEqual(beyond.routes, []);
  assert.match(beyond.problems.map(({ reason }) => reason).join(), /more than 10000 matches/);
});

test("a delegate takes from the root what it does not say", () => {
  const { routes } = expand(
    `timeout: 5s, retries: { attempts: 7 }, rewrite: { uri: /r }, fault: { abort: { httpStatus: 500, percentage: { value: 1 } } },
     mirror: { host: copy }, corsPolicy: { allowOrigins: [{ exact: a }] }, headers: { request: { set: { x: root } } }`,
    "timeout: 1s, headers: { response: { remove: [y] } }",
  );
  const [merged] = routes.map(({ route }) => route);
  assert.ok(merged);
  assert.equal(merged.timeoutMs, 1000);
  assert.equal(merged.retries?.attempts, 7);
  assert.equal(merged.rewrite?.uri, "/r");
  assert.equal(merged.fault?.abort?.httpStatus, 500);
  assert.equal(merged.cors?.allowOrigins.length, 1);
  assert.deepEqual([merged.headers.request.set, merged.headers.response.remove], [{}, ["y"]]);
  // A short name means what it does in the root's namespace, though the route is now the delegate's.
  assert.equal(merged.mirror?.host, "copy.default.svc.cluster.local");
  assert.equal(routes[0]?.owner.metadata.namespace, "team");
});

/** The mirrors of a delegated route, as `host percent`. */
const mirrored: readonly (readonly [root: string, child: string, want: readonly string[]])[] = [
  ["mirror: { host: r.x }, mirrorPercentage: { value: 40 }", "", ["r.x 40"]],
  ["mirror: { host: r.x }, mirrorPercentage: { value: 40 }", "mirror: { host: c.x }", ["c.x 40"]],
  ["mirror: { host: r.x }", "mirror: { host: c.x }, mirrorPercentage: { value: 30 }", ["c.x 30"]],
  ["mirror: { host: r.x }", "mirrorPercentage: { value: 0 }", ["r.x 0"]],
  ["mirrors: [{ destination: { host: r.x }, percentage: { value: 5 } }]", "", ["r.x 5"]],
  ["mirrors: [{ destination: { host: r.x } }]", "mirrors: [{ destination: { host: c.x } }]", ["c.x 100"]],
  ["mirrors: [{ destination: { host: r.x } }]", "mirror: { host: c.x }", ["c.x 100", "r.x 100"]],
  ["mirror: { host: r.x }", "mirrors: [{ destination: { host: c.x } }]", ["r.x 100", "c.x 100"]],
];
for (const [root, child, want] of mirrored) {
  test(`a root with ${root} and a delegate with ${child || "nothing"} mirror to ${want.join(" and ")}`, () => {
    const [merged] = expand(root, child).routes;
    assert.ok(merged);
    const mirrors = mirrorsOf(merged.route).map(
      ({ destination, percent }) => `${destination.host} ${percent}`,
    );
    assert.deepEqual(mirrors, want);
  });
}

const refused: readonly {
  readonly name: string;
  readonly options: Parameters<typeof expand>[2];
  readonly want: RegExp;
}[] = [
  { name: "that is not there", options: { namespace: "nowhere" }, want: /no VirtualService nowhere\/part/ },
  { name: "that has hosts", options: { spec: "hosts: [a.example]" }, want: /has hosts/ },
  {
    name: "that is private to another namespace",
    options: { spec: 'exportTo: ["."]' },
    want: /not exported to namespace default/,
  },
  {
    name: "that the mesh's default keeps private",
    options: { defaultExportTo: ["."] },
    want: /not exported/,
  },
];
for (const { name, options, want } of refused) {
  test(`a delegate ${name} leaves its route out, and the reason is told`, () => {
    const { routes, problems } = expand("match: [{ uri: { prefix: /a } }]", "", options);
    assert.deepEqual(routes, []);
    assert.match(problems[0]?.reason ?? "", want);
  });
}

test("a delegate that is exported to the root's namespace by name counts", () => {
  assert.equal(expand("", "", { spec: "exportTo: [default]" }).routes.length, 1);
});
