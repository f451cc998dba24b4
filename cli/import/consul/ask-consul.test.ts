import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { askDefaultPolicy, askEntries } from "./ask-consul.ts";

/** A client whose Consul answers by path; an Error is thrown. */
function answering(answers: (path: string) => unknown): ConsulClient {
  return {
    address: "http://consul.test",
    get: async ({ path }) => {
      const body = answers(path);
      if (body instanceof Error) throw body;
      return { index: 1, body };
    },
    [Symbol.dispose]: () => {},
  };
}

const { signal } = new AbortController();

/** What agents of several versions say of themselves (`/v1/agent/self`), and what that makes of a call. */
const SELVES: readonly (readonly [name: string, config: object, policy: string])[] = [
  ["1.8 without ACLs", { ACLsEnabled: false, ACLDefaultPolicy: "allow" }, "allow"],
  ["1.8 with ACLs", { ACLsEnabled: true, ACLDefaultPolicy: "deny" }, "deny"],
  ["1.10 with ACLs", { ACLsEnabled: true, ACLResolverSettings: { ACLDefaultPolicy: "deny" } }, "deny"],
  [
    "1.10, ACLs that allow",
    { ACLsEnabled: true, ACLResolverSettings: { ACLDefaultPolicy: "allow" } },
    "allow",
  ],
  ["1.10 without ACLs", { ACLsEnabled: false, ACLResolverSettings: { ACLDefaultPolicy: "deny" } }, "allow"],
  ["1.17 with a policy for intentions", { ACLsEnabled: false, DefaultIntentionPolicy: "deny" }, "deny"],
];
for (const [name, DebugConfig, policy] of SELVES) {
  test(`the default policy of ${name} is ${policy}`, async () => {
    const client = answering(() => ({ DebugConfig }));
    assert.equal(await askDefaultPolicy(client, signal), policy);
  });
}

test("an agent that does not tell whether it has ACLs is no reason to allow", async () => {
  const client = answering(() => ({ DebugConfig: {} }));
  await assert.rejects(askDefaultPolicy(client, signal), (error) => {
    assert.ok(error instanceof MeshError);
    assert.match(error.hint ?? "", /--default-policy/);
    return error.code === "registry.unavailable";
  });
});

test("intentions of before 1.9 are put together by destination; kinds that are unknown are passed over", async () => {
  const old = (SourceName: string, DestinationName: string): object => ({
    SourceNS: "default",
    SourceName,
    DestinationNS: "default",
    DestinationName,
    Action: "allow",
  });
  const unknown = new MeshError("registry.unavailable", "ask consul: 400 invalid config entry kind: x");
  const client = answering((path) =>
    path === "/connect/intentions" ? [old("web", "api"), old("db", "api"), old("*", "web")] : unknown,
  );
  assert.deepEqual(await askEntries(client, signal), [
    {
      Kind: "service-intentions",
      Name: "api",
      Sources: [
        { Name: "web", Action: "allow" },
        { Name: "db", Action: "allow" },
      ],
    },
    { Kind: "service-intentions", Name: "web", Sources: [{ Name: "*", Action: "allow" }] },
  ]);
});

test("a token that may not read is told with what it needs", async () => {
  const refused = new MeshError(
    "registry.unavailable",
    "ask consul at x for /config/mesh: 403 Permission denied",
  );
  await assert.rejects(
    askEntries(
      answering(() => refused),
      signal,
    ),
    (error) => {
      assert.ok(error instanceof MeshError);
      return /--token-file/.test(error.hint ?? "");
    },
  );
});
