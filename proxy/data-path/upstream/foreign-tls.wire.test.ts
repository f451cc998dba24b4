import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import type { JsonValue } from "../../../mesh/xds/json.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { call, type Reply, ROUTES } from "../../../test/harness/proxy-pair.ts";
import { mint, mintRoot, type TestCertificate, uriSan } from "../../../test/harness/test-certificates.ts";
import { freePort, TestProxy } from "../../../test/harness/test-proxy.ts";
import {
  foreignTls,
  httpOptions,
  outboundHttp,
  routeConfig,
  routeTo,
  staticCluster,
} from "../../../test/harness/xds-samples.ts";

type Json = Record<string, JsonValue>;

const root = mintRoot("public root");
const stranger = mintRoot("stranger");
const ads: Json = { ads: {}, resourceApiVersion: "V3" };

function certificateFor(...names: string[]): TestCertificate {
  const sans = names.map((name) => (name.includes("://") ? uriSan(name) : { tag: SAN_DNS, value: name }));
  return mint({ issuer: root, commonName: names[0] ?? "", sans });
}

let folder = "";
let server: Server;
let port = 0;

/** Tells the SNI that it was called with, and the certificate of the client. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "lateen-tls-"));
  const own = certificateFor("api.example.com", "*.wide.example.com", "spiffe://other/api");
  const client = certificateFor("client.example");
  await writeFile(join(folder, "ca.pem"), root.pem);
  await writeFile(join(folder, "cert.pem"), client.pem);
  await writeFile(join(folder, "key.pem"), client.keyPem);
  const options = {
    cert: own.pem,
    key: own.keyPem,
    ca: root.pem,
    requestCert: true,
    rejectUnauthorized: false,
  };
  server = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const { subject } = socket.getPeerCertificate() as { readonly subject?: { readonly CN: string } };
    response.end(`sni=${socket.servername || ""} client=${subject?.CN ?? ""}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  port = typeof place === "object" && place ? place.port : 0;
});

after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

interface Front extends AsyncDisposable {
  readonly proxy: TestProxy;
  call(host?: string): Promise<Reply>;
}

/** A proxy whose calls go to the server with this TLS. */
async function front(transportSocket: Json, fields: Json = {}): Promise<Front> {
  const proxy = await TestProxy.start();
  const own = await freePort();
  proxy.ads.set("cluster", "api", staticCluster("api", [port], { transportSocket, ...fields }));
  proxy.ads.set("listener", `127.0.0.1_${own}`, outboundHttp(own, ROUTES));
  proxy.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("api")]));
  await proxy.ready();
  return {
    proxy,
    call: async (host = "api.example.com") => await call(own, "/", { headers: { host } }),
    [Symbol.asyncDispose]: async () => await proxy[Symbol.asyncDispose](),
  };
}

const trusting = (...names: string[]): Json => ({
  validationContext: {
    trustedCa: { filename: join(folder, "ca.pem") },
    matchTypedSubjectAltNames: names.map((exact) => ({
      sanType: exact.includes("://") ? "URI" : "DNS",
      matcher: { exact },
    })),
  },
});

for (const { name, tls, want } of [
  {
    name: "a name of the certificate",
    tls: () => trusting("api.example.com"),
    want: "sni=api.example.com client=",
  },
  {
    name: "a wildcard in the certificate",
    tls: () => trusting("a.wide.example.com"),
    want: "sni=api.example.com client=",
  },
  {
    name: "any of several names",
    tls: () => trusting("b.example.com", "spiffe://other/api"),
    want: "sni=api.example.com client=",
  },
  { name: "no name at all", tls: () => trusting(), want: "sni=api.example.com client=" },
  { name: "another name", tls: () => trusting("b.example.com"), want: undefined },
  { name: "another URI", tls: () => trusting("spiffe://other/api2"), want: undefined },
  {
    name: "roots that the server does not chain to",
    tls: (): Json => ({ validationContext: { trustedCa: { inlineString: stranger.pem } } }),
    want: undefined,
  },
  { name: "no verification", tls: (): Json => ({}), want: "sni=api.example.com client=" },
]) {
  test(`TLS with ${name} ${want === undefined ? "fails" : "works"}`, async () => {
    await using client = await front(foreignTls(tls(), "api.example.com"));
    const reply = await client.call();
    if (want === undefined) assert.equal(reply.status, 503);
    else assert.deepEqual([reply.status, reply.body], [200, want]);
  });
}

test("a certificate from files is presented", async () => {
  const file = (filename: string): Json => ({ filename: join(folder, filename) });
  const tlsCertificates = [{ certificateChain: file("cert.pem"), privateKey: file("key.pem") }];
  await using client = await front(
    foreignTls({ ...trusting("api.example.com"), tlsCertificates }, "api.example.com"),
  );
  assert.equal((await client.call()).body, "sni=api.example.com client=client.example");
});

test("a cluster whose files are not there is refused, by their name", async () => {
  const validationContext = { trustedCa: { filename: join(folder, "none.pem") } };
  await using client = await front(foreignTls({ validationContext }));
  assert.match(client.proxy.ads.nacks.join(), /none\.pem/);
  assert.equal((await client.call()).status, 503);
});

test("credentials from Secrets: calls wait for none, fail without, and follow what comes", async () => {
  const name = "kubernetes://api";
  const context = {
    tlsCertificateSdsSecretConfigs: [{ name, sdsConfig: ads }],
    combinedValidationContext: {
      defaultValidationContext: {
        matchTypedSubjectAltNames: [{ sanType: "DNS", matcher: { exact: "api.example.com" } }],
      },
      validationContextSdsSecretConfig: { name: `${name}-cacert`, sdsConfig: ads },
    },
  };
  await using client = await front(foreignTls(context, "api.example.com"));
  assert.equal((await client.call()).status, 503);
  client.proxy.ads.set("secret", `${name}-cacert`, {
    name: `${name}-cacert`,
    validationContext: { trustedCa: { inlineString: root.pem } },
  });
  for (const who of ["first.example", "second.example"]) {
    const { pem, keyPem } = certificateFor(who);
    client.proxy.ads.set("secret", name, {
      name,
      tlsCertificate: { certificateChain: { inlineString: pem }, privateKey: { inlineString: keyPem } },
    });
    await eventually(`${who} is presented`, async () => {
      const { body } = await client.call();
      return body === `sni=api.example.com client=${who}` || undefined;
    });
  }
});

test("TLS for the host of each call: it is the SNI, and what the certificate must be for", async () => {
  const fields = httpOptions({ upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } });
  await using client = await front(foreignTls(trusting()), fields);
  assert.equal((await client.call("api.example.com")).body, "sni=api.example.com client=");
  assert.equal((await client.call("x.wide.example.com:443")).body, "sni=x.wide.example.com client=");
  assert.equal((await client.call("other.example.com")).status, 503);
});
