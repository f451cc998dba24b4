import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectReply } from "../../mesh/admin-api/replies.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { objectColumns } from "./object-columns.ts";

const NOW = Date.UTC(2026, 0, 2);

function row(kind: Kind, object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const reply: ObjectReply = {
    object,
    kind,
    namespace: "default",
    name: "a",
    createdAt: new Date(NOW - 3_600_000).toISOString(),
    revision: 3,
    origin: "api",
  };
  const shown = objectColumns(kind, NOW).filter(({ wide }) => wide !== true);
  return Object.fromEntries(shown.map(({ header, cell }) => [header, cell(reply)]));
}

const rows: readonly { readonly kind: Kind; readonly object: object; readonly want: object }[] = [
  {
    kind: "Secret",
    object: {
      type: "kubernetes.io/tls",
      data: { "tls.key": "x", "tls.crt": "x" },
      stringData: { "tls.key": "y" },
    },
    want: { NAME: "a", TYPE: "kubernetes.io/tls", DATA: "2", AGE: "60m" },
  },
  { kind: "Secret", object: {}, want: { NAME: "a", TYPE: "Opaque", DATA: "0", AGE: "60m" } },
  { kind: "Gateway", object: { spec: { servers: [] } }, want: { NAME: "a", AGE: "60m" } },
  {
    kind: "WorkloadEntry",
    object: { spec: { address: "10.0.0.1" } },
    want: { NAME: "a", ADDRESS: "10.0.0.1", AGE: "60m" },
  },
];

for (const { kind, object, want } of rows) {
  test(`a row of a ${kind} has kubectl's columns: ${Object.keys(want).join(", ")}`, () => {
    assert.deepEqual(row(kind, { ...object }), want);
  });
}
