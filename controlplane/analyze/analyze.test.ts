import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFiles } from "../../mesh/model/parse-files.ts";
import { FAKE_NOW } from "../../test/fakes/admin-deps.ts";
import { objects, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { object } from "../../test/harness/analysis.ts";
import { analyze, schemaMessages, sorted } from "./analyze.ts";
import { isSuppressed, parseSuppression } from "./suppress.ts";

test("services and workloads that agents registered count as much as those of objects", () => {
  const yaml = [
    object("DestinationRule", "a", "{ host: reviews, subsets: [{ name: v1, labels: { version: v1 } }] }"),
    object("AuthorizationPolicy", "b", "{ selector: { matchLabels: { app: reviews } } }"),
  ].join("---\n");
  const placed = workload("reviews", { labels: { app: "reviews", version: "v1" } });
  const { snapshot } = sampleState({ yaml, workloads: [placed] }).next();
  const input = { objects: objects(yaml), places: new Map(), now: FAKE_NOW };
  assert.deepEqual(analyze({ ...input, snapshot }), []);
  const without = sampleState({ yaml }).next().snapshot;
  assert.deepEqual(
    analyze({ ...input, snapshot: without }).map(({ code, file, line }) => [code, file, line]),
    [
      ["IST0127", undefined, undefined],
      ["IST0174", undefined, undefined],
    ],
  );
});

test("what the schemas say is told as Istio's IST0106 and IST0133", () => {
  const text = object(
    "VirtualService",
    "a",
    "{ hosts: 7, odd: 1, http: [{ route: [{ destination: { host: a } }] }] }",
  );
  const { violations } = parseFiles([{ name: "a.yaml", text }], { defaultNamespace: "default" });
  assert.deepEqual(
    schemaMessages(violations).map(({ code, severity, origin, file, line, message }) => [
      code,
      severity,
      origin,
      file,
      line,
      message.split(" ")[0],
    ]),
    [
      ["IST0106", "Error", "VirtualService default/a", "a.yaml", 4, "spec.hosts"],
      ["IST0133", "Warning", "VirtualService default/a", "a.yaml", 4, "spec.odd"],
    ],
  );
});

test("messages come the worst first, then in the order of the files", () => {
  const message = (
    severity: "Error" | "Info",
    file: string,
    line: number,
  ): Parameters<typeof sorted>[0][number] => ({
    code: "IST0101",
    severity,
    origin: "",
    file,
    line,
    message: "",
  });
  const list = [
    message("Info", "a", 1),
    message("Error", "b", 2),
    message("Error", "b", 1),
    message("Error", "a", 9),
  ];
  assert.deepEqual(
    sorted(list).map(({ severity, file, line }) => `${severity} ${file}:${line}`),
    ["Error a:9", "Error b:1", "Error b:2", "Info a:1"],
  );
});

const suppressions: readonly (readonly [string, boolean])[] = [
  ["IST0101", true],
  ["IST0101=*", true],
  ["IST0101=VirtualService default/reviews", true],
  ["IST0101=VirtualService default/*", true],
  ["IST0101=virtualservice */rev*", true],
  ["IST0101=VirtualService reviews.default", true],
  ["IST0101=VirtualService *.default", true],
  ["IST0101=VirtualService default/review", false],
  ["IST0101=VirtualService defaul?/reviews", false],
  ["IST0102".replace("2", "9"), false],
];
for (const [text, want] of suppressions) {
  test(`--suppress ${text} ${want ? "leaves a message out" : "leaves others in"}`, () => {
    const message = { code: "IST0101", origin: "VirtualService default/reviews" };
    assert.equal(isSuppressed(message, [parseSuppression(text)]), want);
  });
}

test("a code that does not exist is refused, with the closest one", () => {
  assert.throws(() => parseSuppression("IST0l01=x"), /IST0l01 is no code of an analysis.*IST0101/);
});
