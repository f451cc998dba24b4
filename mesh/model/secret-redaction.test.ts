import assert from "node:assert/strict";
import { test } from "node:test";
import { shownDocument } from "./secret-redaction.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

test("of a Secret, names are shown and values are not", () => {
  const written = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: "shop",
      annotations: { note: "kept", [LAST_APPLIED]: '{"data":{"tls.key":"c2VjcmV0"}}' },
    },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "Y2VydA==", "tls.key": "c2VjcmV0" },
    stringData: { "ca.crt": "text" },
  };
  assert.deepEqual(shownDocument({ kind: "Secret", written }), {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "shop", annotations: { note: "kept", [LAST_APPLIED]: "<redacted>" } },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "<redacted>", "tls.key": "<redacted>" },
    stringData: { "ca.crt": "<redacted>" },
  });
});

test("a Secret without annotations and data is shown as it is", () => {
  const written = { kind: "Secret", metadata: { name: "shop" }, data: null };
  assert.deepEqual(shownDocument({ kind: "Secret", written }), written);
});

test("other kinds are shown as they are", () => {
  const written = { kind: "Gateway", metadata: { name: "a" }, data: { "tls.key": "x" } };
  assert.equal(shownDocument({ kind: "Gateway", written }), written);
});
