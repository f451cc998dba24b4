import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS } from "../../mesh/model/kinds.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { effectiveFields } from "./field-effects.ts";
import { goldenMeshes, sampleMeshes, wireMeshes } from "./meshes.ts";
import { fieldsOfKind, isTold, type SchemaField } from "./schema-fields.ts";

/** Fields that no proxy is to get, or that are refused beside others alone, and what shows it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "Gateway.servers[].name": "a name for people",
  "Sidecar.ingress[].port.name": "a name for people",
  "Sidecar.egress[].port.name": "a name for people",
  "Sidecar.ingress[].tls.httpsRedirect": "refused: sidecar.schema.test.ts",
  "Sidecar.ingress[].tls.subjectAltNames": "refused: sidecar.schema.test.ts",
  "Sidecar.ingress[].tls.caCertCredentialName": "refused: sidecar.schema.test.ts",
  "MeshConfig.trustDomain": "the authority's to decide: LAT0013, file-state.test.ts",
  "RequestAuthentication.jwtRules[].jwksUri": "the server fetches keys from there: controlplane/jwks",
  "RequestAuthentication.jwtRules[].timeout": "of that fetch",
};

/** Their content is in secrets, which are made anew in each run: `secret.schema.test.ts` has their fields. */
const NOT_WALKED: readonly Kind[] = ["Secret"];

test("every field of a kind changes what somebody gets, is refused, or is named in a warning", () => {
  const fields = (Object.keys(KINDS) as Kind[])
    .filter((kind) => !NOT_WALKED.includes(kind))
    .flatMap(fieldsOfKind);
  const effective = effectiveFields([...sampleMeshes(), ...wireMeshes(), ...goldenMeshes()]);
  const silent = fields.filter((field) => !effective.has(field.key) && !isTold(field)).map(nameOf);
  assert.deepEqual(silent.sort(), Object.keys(ELSEWHERE).sort());
});

function nameOf({ name }: SchemaField): string {
  return name;
}
