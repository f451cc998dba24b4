import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeServer } from "../../test/fakes/admin-deps.ts";
import { openApi } from "./testing/open-api.ts";

const VALUE = "c2VjcmV0IG1hdGVyaWFs";
const SECRET = `apiVersion: v1
kind: Secret
metadata:
  name: shop
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data":{"tls.key":"${VALUE}"}}'
type: kubernetes.io/tls
data: { tls.key: ${VALUE} }
stringData: { tls.crt: ${VALUE} }
`;

test("no answer of the API has the values of a Secret, and the store keeps them", async () => {
  const server = fakeServer();
  const admin = openApi(server);
  const call = async (method: "GET" | "POST" | "DELETE", url: string, payload?: string): Promise<string> => {
    const response = await admin.inject({
      method,
      url,
      ...(payload === undefined ? {} : { payload, headers: { "content-type": "application/yaml" } }),
    });
    assert.equal(response.statusCode, 200, response.body);
    return response.body;
  };
  const path = "/v1/objects/secret/default/shop";
  const answers = [
    await call("POST", "/v1/apply?dryRun", SECRET),
    await call("POST", "/v1/apply", SECRET),
    await call("GET", "/v1/objects/secret"),
    await call("GET", path),
  ];
  const stored = server.deps.store.get("Secret/default/shop");
  assert.deepEqual(stored?.written["data"], { "tls.key": VALUE });
  answers.push(await call("DELETE", path));
  for (const answer of answers) assert.ok(!answer.includes(VALUE), answer);
  const { object } = JSON.parse(answers[3] ?? "{}") as { object: Record<string, unknown> };
  assert.deepEqual(object["data"], { "tls.key": "<redacted>" });
  assert.deepEqual(object["stringData"], { "tls.crt": "<redacted>" });
});
