import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { resolveEndpoint } from "./endpoint.ts";

test("without a word the server's socket on this host is meant", () => {
  assert.deepEqual(resolveEndpoint({}), { socketPath: "/run/lateen/admin.sock" });
  assert.deepEqual(resolveEndpoint({ LATEEN_ADDR: "" }), { socketPath: "/run/lateen/admin.sock" });
});

test("a socket is named with or without slashes, and a flag wins over the environment", () => {
  assert.deepEqual(resolveEndpoint({ LATEEN_ADDR: "unix:/a/b.sock" }), { socketPath: "/a/b.sock" });
  assert.deepEqual(resolveEndpoint({ LATEEN_ADDR: "unix:///a" }, { address: "unix:///b" }), {
    socketPath: "/b",
  });
});

test("a network address takes its token from a file before the environment", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "lateen-endpoint-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "token");
  writeFileSync(file, "from-file\n");
  const address = "https://mesh.example:15015/ignored";
  assert.deepEqual(
    resolveEndpoint({ LATEEN_ADDR: address, LATEEN_TOKEN: "from-env", LATEEN_TOKEN_FILE: file }),
    {
      origin: "https://mesh.example:15015",
      token: "from-file",
    },
  );
  assert.deepEqual(resolveEndpoint({ LATEEN_ADDR: address, LATEEN_TOKEN: "from-env", LATEEN_CACERT: file }), {
    origin: "https://mesh.example:15015",
    token: "from-env",
    ca: "from-file",
  });
});

const refused: readonly { name: string; environment: Record<string, string>; message: RegExp }[] = [
  { name: "no token", environment: { LATEEN_ADDR: "http://127.0.0.1:1" }, message: /wants a credential/ },
  {
    name: "a client certificate without its key",
    environment: { LATEEN_ADDR: "https://mesh.example:1", LATEEN_CLIENT_CERT: "/x.crt" },
    message: /go together/,
  },
  {
    name: "a token file that is not there",
    environment: { LATEEN_ADDR: "http://localhost:1", LATEEN_TOKEN_FILE: "/none" },
    message: /read \/none: ENOENT/,
  },
  {
    name: "plain HTTP to another host",
    environment: { LATEEN_ADDR: "http://mesh.example:1", LATEEN_TOKEN: "t" },
    message: /mesh\.example:1 in the clear/,
  },
  {
    name: "a host that only looks like loopback",
    environment: { LATEEN_ADDR: "http://127.evil.example", LATEEN_TOKEN: "t" },
    message: /in the clear/,
  },
  {
    name: "another scheme",
    environment: { LATEEN_ADDR: "ftp://mesh.example", LATEEN_TOKEN: "t" },
    message: /is not the address/,
  },
  {
    name: "no URL at all",
    environment: { LATEEN_ADDR: "mesh.example:15015", LATEEN_TOKEN: "t" },
    message: /is not the address/,
  },
];

for (const { name, environment, message } of refused) {
  test(`${name} is refused before anything is sent`, () => {
    assert.throws(() => resolveEndpoint(environment), { code: "cli.usage", message });
  });
}
