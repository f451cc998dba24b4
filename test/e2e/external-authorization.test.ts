import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Authorizers } from "../harness/authorizers.ts";
import { eventually } from "../harness/eventually.ts";
import type { CallOptions, Reply } from "../harness/mesh-calls.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { isLogged, told } from "../harness/told-decisions.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: [REVIEWS] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

let authorizers: Authorizers;

before(async () => {
  authorizers = await Authorizers.start();
});

after(async () => {
  await authorizers[Symbol.asyncDispose]();
});

function meshConfig(provider: string): string {
  return `---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { extensionProviders: [{ name: door, ${provider} }] }
`;
}

const overHttp = (fields = "", port = authorizers.httpPort): string =>
  meshConfig(`envoyExtAuthzHttp: {
    service: authz.example.com, port: ${port}, timeout: 2s, pathPrefix: /check,
    includeRequestHeadersInCheck: ["X-User*"], includeAdditionalHeadersInCheck: { x-from: reviews },
    headersToUpstreamOnAllow: [x-allowed-by], headersToDownstreamOnAllow: [x-checked],
    headersToDownstreamOnDeny: [x-reason] ${fields} }`);

const overGrpc = (fields = ""): string =>
  meshConfig(
    `envoyExtAuthzGrpc: { service: default/authz.example.com, port: ${authorizers.grpcPort}, timeout: 2s ${fields} }`,
  );

const ASKED = authorizationPolicy("door", "reviews", {
  action: "CUSTOM",
  provider: { name: "door" },
  rules: [{ to: [{ operation: { paths: ["/asked*"] } }] }],
});
const RULE = "ns[default]-policy[door]-rule[0]";
const REFUSED = "refused by the authorizer that a policy has asked";
const SILENT = "refused, for the authorizer that a policy has asked gave no answer";

describeMesh("external authorization", { hosts: HOSTS }, (mesh) => {
  const ask = async (path: string, user: string, options: CallOptions = {}): Promise<Reply> =>
    await mesh().call("caller", REVIEWS, path, { headers: { "x-user": user, "x-other": "1" }, ...options });

  const answers = async (status: number, path: string, user: string): Promise<Reply> =>
    await eventually(`${status} for ${user} at ${path}`, async () => {
      const reply = await ask(path, user);
      return reply.status === status && reply;
    });

  test("over HTTP it is asked about what the policy names, and its answer holds", async () => {
    await mesh().apply(authorizers.serviceEntry + overHttp() + ASKED);
    const denied = await answers(401, "/asked", "bad");
    assert.equal(denied.body, "who are you?");
    assert.equal(denied.headers["x-reason"], "unknown user");
    assert.equal(denied.headers["x-private"], undefined);
    const before = authorizers.questions.length;
    const allowed = await ask("/asked/a?b=c", "good", { method: "PUT" });
    assert.equal(allowed.status, 200);
    assert.equal(allowed.echo?.headers["x-allowed-by"], "authorizer");
    assert.equal(allowed.echo?.headers["x-private"], undefined);
    assert.equal(allowed.headers["x-checked"], "yes");
    const [question] = authorizers.questions.slice(before);
    assert.deepEqual([question?.method, question?.path], ["PUT", "/check/asked/a?b=c"]);
    assert.deepEqual(
      ["x-user", "x-from", "x-other"].map((name) => question?.headers[name]),
      ["good", "reviews", undefined],
    );
    assert.equal((await ask("/free", "bad")).status, 200);
    assert.equal(authorizers.questions.length, before + 1, "nobody is asked about another path");
  });

  test("it sees as much of a body as it wants, and the application gets all of it", async () => {
    const wants = (fields: string): string =>
      overHttp(`, includeRequestBodyInCheck: { maxRequestBytes: 8 ${fields} }`);
    await mesh().apply(authorizers.serviceEntry + wants(", allowPartialMessage: true") + ASKED);
    await answers(401, "/asked", "bad");
    await answers(200, "/asked", "good");
    const post = async (body: string): Promise<Reply> =>
      await ask("/asked", "good", { method: "POST", body });
    for (const [body, seen, partial] of [
      ["12345678", "12345678", undefined],
      ["1234567", "1234567", "false"],
      ["123456789", "12345678", "true"],
    ] as const) {
      // An Envoy may have a connection of before that still goes by what was said then.
      const question = await eventually(`${seen} is seen`, async () => {
        const reply = await post(body);
        assert.equal(reply.status, 200);
        assert.equal(reply.echo?.body, body, "the application has the whole body");
        const last = authorizers.questions.at(-1);
        return last?.body === seen && last;
      });
      if (partial !== undefined) assert.equal(question.headers["x-envoy-auth-partial-body"], partial);
    }
    await mesh().apply(wants(""));
    await eventually("a long body is refused", async () => (await post("123456789")).status === 413);
    assert.equal((await post("1234567")).status, 200);
  });

  test("while it cannot answer, nothing passes unless the provider says so", async () => {
    await mesh().apply(authorizers.serviceEntry + overHttp(`, statusOnError: "503"`) + ASKED);
    await answers(503, "/asked", "broken");
    await mesh().apply(overHttp(", failOpen: true"));
    await answers(200, "/asked", "broken");
    await answers(401, "/asked", "bad");
  });

  test("whom an authorizer refuses the operator is told of, with the policy that asked, and the caller is not", async () => {
    await mesh().apply(authorizers.serviceEntry + overHttp() + ASKED);
    const denied = await answers(401, "/asked/told", "bad");
    assert.doesNotMatch(JSON.stringify([denied.body, denied.headers]), /policy|rule/i);
    await told(mesh(), "reviews-v1", [[RULE, "denied", "true"]]);
    const caller = mesh().spiffeId("caller");
    await eventually("the log", () => isLogged(mesh(), "reviews-v1", REFUSED, RULE, caller, "/asked/told"));
    await answers(403, "/asked/untold", "broken");
    await eventually("the log", () => isLogged(mesh(), "reviews-v1", SILENT, RULE, caller, "/asked/untold"));
  });

  test("what it lets pass still has to pass DENY and ALLOW, and what it refuses nobody allows", async () => {
    const deny = authorizationPolicy("deny", "reviews", {
      action: "DENY",
      rules: [{ to: [{ operation: { paths: ["/asked/denied"] } }] }],
    });
    const allow = authorizationPolicy("allow", "reviews", { action: "ALLOW", rules: [{}] });
    await mesh().apply(authorizers.serviceEntry + overHttp() + ASKED + deny + allow);
    await answers(403, "/asked/denied", "good");
    await answers(401, "/asked/denied", "bad");
    await answers(401, "/asked", "bad");
    await answers(200, "/asked", "good");
  });

  test("a provider that is not there is asked nothing: what it would be asked about is refused", async () => {
    await mesh().apply(ASKED);
    await answers(403, "/asked", "good");
    await answers(200, "/free", "good");
  });
});

describeMesh("external authorization over gRPC", { hosts: HOSTS }, (mesh) => {
  const ask = async (path: string, user: string, options: CallOptions = {}): Promise<Reply> =>
    await mesh().call("caller", REVIEWS, path, { headers: { "x-user": user, "x-other": "1" }, ...options });

  const answers = async (status: number, path: string, user: string): Promise<Reply> =>
    await eventually(`${status} for ${user} at ${path}`, async () => {
      const reply = await ask(path, user);
      return reply.status === status && reply;
    });

  test("it is asked about what the policy names, and its answer holds", async () => {
    await mesh().apply(authorizers.serviceEntry + overGrpc() + ASKED);
    const denied = await answers(401, "/asked", "unknown");
    assert.deepEqual([denied.body, denied.headers["x-reason"]], ["who are you?", "unknown user"]);
    await answers(403, "/asked", "bad");
    const before = authorizers.questions.length;
    const allowed = await ask("/asked/a?b=c", "good", { method: "PUT" });
    assert.deepEqual([allowed.status, allowed.headers["x-checked"]], [200, "yes"]);
    assert.deepEqual(
      ["x-allowed-by", "x-user", "x-other"].map((name) => allowed.echo?.headers[name]),
      ["authorizer", "known", undefined],
    );
    const [question] = authorizers.questions.slice(before);
    assert.deepEqual(
      [question?.method, question?.path, question?.headers["x-other"], question?.from, question?.to],
      ["PUT", "/asked/a?b=c", "1", mesh().spiffeId("caller"), mesh().spiffeId("reviews-v1")],
    );
    assert.equal((await ask("/free", "bad")).status, 200);
    assert.equal(authorizers.questions.length, before + 1, "nobody is asked about another path");
  });

  test("it sees as much of a body as it wants, as text or as bytes", async () => {
    const post = async (body: string): Promise<Reply> =>
      await ask("/asked", "good", { method: "POST", body });
    const sees = async (sent: string, ...want: readonly [body: string, partial: string]): Promise<void> => {
      await eventually(`it sees ${want.join()}`, async () => {
        const reply = await post(sent);
        assert.deepEqual([reply.status, reply.echo?.body], [200, sent]);
        const { body, headers } = authorizers.questions.at(-1) ?? {};
        return body === want[0] && headers?.["x-envoy-auth-partial-body"] === want[1];
      });
    };
    for (const packAsBytes of [false, true]) {
      await mesh().apply(
        authorizers.serviceEntry +
          overGrpc(
            `, includeRequestBodyInCheck: { maxRequestBytes: 8, allowPartialMessage: true, packAsBytes: ${packAsBytes} }`,
          ) +
          ASKED,
      );
      await sees("1234567", "1234567", "false");
      await sees("123456789", "12345678", "true");
    }
  });

  test("while it cannot answer, nothing passes unless the provider says so", async () => {
    await mesh().apply(authorizers.serviceEntry + overGrpc(`, statusOnError: "503"`) + ASKED);
    await answers(503, "/asked", "broken");
    await mesh().apply(overGrpc(", failOpen: true"));
    await answers(200, "/asked", "broken");
    await answers(403, "/asked", "bad");
    const caller = mesh().spiffeId("caller");
    await told(mesh(), "reviews-v1", [[RULE, "denied", "true"]]);
    for (const sentence of [SILENT, REFUSED])
      await eventually(sentence, () => isLogged(mesh(), "reviews-v1", sentence, RULE, caller, "/asked"));
  });
});
