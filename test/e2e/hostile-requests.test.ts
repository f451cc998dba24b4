import assert from "node:assert/strict";
import { connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { eventually } from "../harness/eventually.ts";
import type { Echo } from "../harness/mesh-apps.ts";
import { parseEcho } from "../harness/mesh-calls.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { HTTP_PORT } from "../harness/mesh-topology.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;
const XFCC = "x-forwarded-client-cert";

const DENY = authorizationPolicy("deny", "reviews", {
  action: "DENY",
  rules: [
    { to: [{ operation: { hosts: ["shop.example"] } }] },
    { to: [{ operation: { paths: ["/private/*"] } }] },
    { when: [{ key: "request.headers[x-role]", values: ["admin"] }] },
  ],
});

interface Answer {
  /** 0: none, the stream was reset. */
  readonly status: number;
  readonly echo: Echo | undefined;
}

/** One stream on a connection of its own, with trailers where they are given. */
async function stream(
  origin: string,
  headers: OutgoingHttpHeaders,
  trailers?: OutgoingHttpHeaders,
): Promise<Answer> {
  const session = connectHttp2(origin);
  const { promise, resolve } = Promise.withResolvers<Answer>();
  session.on("error", () => resolve({ status: 0, echo: undefined }));
  const call = session.request(headers, { endStream: trailers === undefined, waitForTrailers: true });
  let status = 0;
  let marker: unknown;
  let body = "";
  call.on("wantTrailers", () => call.sendTrailers(trailers ?? {}));
  call.on("response", (head) => {
    status = head[":status"] ?? 0;
    marker = head["x-echo-app"];
  });
  call.on("data", (chunk: Buffer) => {
    body += chunk.toString("utf8");
  });
  call.on("error", () => {});
  call.on("close", () => resolve({ status, echo: parseEcho(body, marker) }));
  if (trailers !== undefined) call.end("x");
  try {
    return await promise;
  } finally {
    session.destroy();
  }
}

describeMesh("hostile requests", { hosts: HOSTS }, (mesh) => {
  test("what a caller of HTTP/2 says twice or late gets past no DENY", async () => {
    await mesh().apply(DENY);
    const origin = `http://${mesh().host("reviews-v1").spec.address}:${HTTP_PORT}`;
    await eventually(
      "the policy",
      async () => (await stream(origin, { ":path": "/private/x" })).status === 403,
    );
    const refused: readonly OutgoingHttpHeaders[] = [
      { ":authority": "shop.example" },
      { ":authority": "shop.example", host: "other" },
      { ":authority": "SHOP.example" },
      { ":path": "/public/../private/x" },
      { ":path": "//private//x" },
      { ":path": "/%70rivate/x" },
      { ":path": "/private/x?" },
      { ":path": "/private/x#y" },
      { "x-role": ["user", "admin"] },
      { "x-role": ["admin", "user"] },
      { "X-Role": "admin" },
    ];
    for (const headers of refused) {
      const { status, echo } = await stream(origin, { ":path": "/", ":authority": "other", ...headers });
      assert.ok([0, 400, 403].includes(status), `${JSON.stringify(headers)}: ${status}`);
      assert.equal(echo, undefined);
    }
    for (const headers of [
      { host: "shop.example" },
      { host: "shop.example", "x-forwarded-host": "shop.example" },
    ]) {
      const { status, echo } = await stream(origin, { ":path": "/", ":authority": "other", ...headers });
      assert.ok(status !== 200 || echo?.headers["host"] === "other", JSON.stringify(echo));
    }
    const late = await stream(
      origin,
      { ":path": "/", ":method": "POST" },
      { "x-role": "admin", authorization: "x" },
    );
    assert.equal(late.status, 200);
    assert.equal(late.echo?.headers["x-role"], undefined);
    assert.equal(late.echo?.headers["authorization"], undefined);
  });

  test("no spelling of the header that says who calls reaches the application but the proxy's own", async () => {
    const { cert, key } = await mesh().host("caller").svid();
    const { address } = mesh().host("reviews-v1").spec;
    const lie = "URI=spiffe://e2e.local/ns/default/sa/root";
    const ask = async (lines: readonly string[]): Promise<string> => {
      const options = { cert, key, rejectUnauthorized: false, ALPNProtocols: ["istio"] };
      const socket = connectTls({ host: address, port: HTTP_PORT, ...options });
      socket.write(["GET / HTTP/1.1", "host: reviews", "connection: close", ...lines, "", ""].join("\r\n"));
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      return text;
    };
    for (const lines of [
      [`connection: ${XFCC}`],
      [`Connection: close, ${XFCC}`, `${XFCC}: ${lie}`],
      [`${XFCC}: ${lie}`, `X-Forwarded-Client-Cert: ${lie}`],
      [`x-Forwarded-client-CERT:${lie}`],
    ]) {
      const text = await ask(lines);
      const { headers } = parseEcho(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1), true) as Echo;
      assert.match(String(headers[XFCC]), new RegExp(`URI=${mesh().spiffeId("caller")}$`), lines.join());
      assert.doesNotMatch(text, /sa\/root/, lines.join());
    }
    for (const lines of [[`${XFCC} : ${lie}`], [`${XFCC}: x`, `\t${lie}`]]) {
      const text = await ask(lines);
      assert.match(text, /^HTTP\/1.1 (400|200) /);
      assert.doesNotMatch(text, /sa\/root/, lines.join());
    }
  });
});
