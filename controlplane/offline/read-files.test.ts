import assert from "node:assert/strict";
import { test } from "node:test";
import { readFiles } from "./read-files.ts";

test("a patch that is no message is found where it is written", () => {
  const text = `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: f }
spec:
  configPatches:
    - applyTo: CLUSTER
      patch:
        operation: MERGE
        value: { connect_timeout: soon }
`;
  const { objects, violations } = readFiles([{ name: "f.yaml", text }], { defaultNamespace: "default" });
  assert.deepEqual(objects, []);
  assert.deepEqual(
    violations.map(({ file, line, path, severity }) => [file, line, path, severity]),
    [["f.yaml", 9, "spec.configPatches[0].patch.value", "error"]],
  );
});
