import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import { mint, mintRoot } from "../../test/harness/test-certificates.ts";
import { addressTest } from "./allowed-addresses.ts";
import { DocumentFetcher, type FetchLimits } from "./fetch-document.ts";

const LOOPBACK = addressTest(["127.0.0.1"]);
const OPEN: FetchLimits = { mayConnect: LOOPBACK, allowHttp: true, ca: undefined };
const never = new AbortController().signal;

async function listening(server: Server): Promise<{ readonly port: number } & AsyncDisposable> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if ("closeAllConnections" in server && typeof server.closeAllConnections === "function")
        server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function fetchFrom(
  listener: RequestListener,
  limits: FetchLimits = OPEN,
  timeoutMs = 2_000,
): Promise<string> {
  await using server = await listening(createServer(listener));
  await using fetcher = new DocumentFetcher(limits);
  return await fetcher.fetch(`http://127.0.0.1:${server.port}/keys`, timeoutMs, never);
}

test("a document is fetched as it is", async () => {
  assert.equal(await fetchFrom((_request, response) => response.end("{}")), "{}");
});

const refused: readonly (readonly [name: string, listener: RequestListener, reason: RegExp])[] = [
  ["an answer that is not 200", (_, response) => response.writeHead(500).end(), /the answer is 500/],
  ["an empty redirect", (_, response) => response.writeHead(302).end(), /the answer is 302/],
  [
    "a redirect to this host's own services",
    (_, response) => response.writeHead(302, { location: "http://127.0.0.2/" }).end(),
    /address 127\.0\.0\.2 is not allowed/,
  ],
  [
    "a redirect to cloud metadata",
    (_, response) => response.writeHead(307, { location: "http://169.254.169.254/latest/" }).end(),
    /169\.254\.169\.254 is not allowed/,
  ],
  [
    "a redirect to a number that is an address",
    (_, response) => response.writeHead(302, { location: "http://2130706434/" }).end(),
    /127\.0\.0\.2 is not allowed/,
  ],
  [
    "a redirect to a file",
    (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
    /file: is not allowed/,
  ],
  [
    "a redirect with a password",
    (_, response) => response.writeHead(302, { location: "http://a:b@127.0.0.1/" }).end(),
    /a user in it/,
  ],
  [
    "redirects without an end",
    (_, response) => response.writeHead(302, { location: "/again" }).end(),
    /more than 3 redirects/,
  ],
  ["two megabytes", (_, response) => response.end("x".repeat(2 * 1024 * 1024)), /size|exceed/i],
  [
    "an answer that is cut off",
    (_, response) => void (response.write("{"), setTimeout(() => response.destroy(), 20)),
    /Invalid EOF|closed|other side/,
  ],
];
for (const [name, listener, reason] of refused) {
  test(`what is not taken: ${name}`, async () => {
    await assert.rejects(fetchFrom(listener), reason);
  });
}

test("an answer that comes drop by drop ends at the time limit", async () => {
  const started = performance.now();
  const dribble: RequestListener = (_, response) => {
    const timer = setInterval(() => response.write(" "), 10);
    response.on("close", () => clearInterval(timer));
  };
  await assert.rejects(fetchFrom(dribble, OPEN, 200), /no whole answer within 200 ms/);
  assert.ok(performance.now() - started < 1_500);
});

test("a name that means this host is not asked, and one that changes its mind is connected to where it was judged", async () => {
  let asked = 0;
  await using server = await listening(
    createServer((_request, response) => {
      asked++;
      response.end("{}");
    }),
  );
  const url = `http://issuer.test:${server.port}/`;
  const fetchWith = async (limits: Partial<FetchLimits>): Promise<string> => {
    await using fetcher = new DocumentFetcher({ ...OPEN, ...limits });
    return await fetcher.fetch(url, 2_000, never);
  };
  const here = async (): Promise<readonly string[]> => await Promise.resolve(["127.0.0.1"]);
  await assert.rejects(
    fetchWith({ mayConnect: addressTest([]), lookup: here }),
    /127\.0\.0\.1 is not allowed/,
  );
  const mixed = async (): Promise<readonly string[]> =>
    await Promise.resolve(["127.0.0.1", "169.254.169.254"]);
  await assert.rejects(fetchWith({ lookup: mixed }), /169\.254\.169\.254 is not allowed/);
  assert.equal(asked, 0);
  let lookups = 0;
  const rebinding = async (): Promise<readonly string[]> => {
    lookups++;
    return await Promise.resolve([lookups === 1 ? "127.0.0.1" : "169.254.169.254"]);
  };
  assert.equal(await fetchWith({ lookup: rebinding }), "{}");
  assert.deepEqual([asked, lookups], [1, 1]);
});

test("without TLS nothing is fetched unless it is allowed, and with TLS only from who is known", async () => {
  await using fetcher = new DocumentFetcher({ ...OPEN, allowHttp: false });
  await assert.rejects(fetcher.fetch("http://127.0.0.1:1/", 1_000, never), /http: is not allowed/);
  const root = mintRoot();
  const { pem: cert, keyPem: key } = mint({
    issuer: root,
    sans: [{ tag: 2, value: "issuer.test" }],
    extendedKeyUsage: ["serverAuth"],
  });
  await using server = await listening(createTlsServer({ cert, key }, (_, response) => response.end("{}")));
  const lookup = async (): Promise<readonly string[]> => await Promise.resolve(["127.0.0.1"]);
  const url = `https://issuer.test:${server.port}/`;
  await using trusting = new DocumentFetcher({ ...OPEN, allowHttp: false, ca: root.pem, lookup });
  assert.equal(await trusting.fetch(url, 2_000, never), "{}");
  await using strange = new DocumentFetcher({ ...OPEN, allowHttp: false, ca: mintRoot().pem, lookup });
  await assert.rejects(strange.fetch(url, 2_000, never));
});
