import assert from "node:assert/strict";
import { test } from "node:test";
import { realHello } from "../../../test/harness/real-hello.ts";
import { peekClientHello } from "./client-hello.ts";

test("server name and ALPN are read from a real hello", async () => {
  const bytes = await realHello({
    servername: "Outbound_.80_._.A.Example",
    ALPNProtocols: ["istio-http/1.1", "istio"],
  });
  assert.deepEqual(peekClientHello(bytes), {
    kind: "tls",
    hello: { serverName: "outbound_.80_._.a.example", alpn: ["istio-http/1.1", "istio"] },
  });
});

test("a hello without either is TLS all the same", async () => {
  assert.deepEqual(peekClientHello(await realHello({})), {
    kind: "tls",
    hello: { serverName: "", alpn: [] },
  });
});

test("every shorter part of a hello asks for more", async () => {
  const bytes = await realHello({ servername: "a.example", ALPNProtocols: ["istio"] });
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(
      peekClientHello(bytes.subarray(0, length)).kind,
      "incomplete",
      `${length} of ${bytes.length} bytes`,
    );
  }
});

test("a hello that comes in several records is put together", async () => {
  const bytes = await realHello({ servername: "a.example" });
  const body = bytes.subarray(5);
  const record = (part: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 0xff]), part]);
  const split = Buffer.concat([
    record(body.subarray(0, 3)),
    record(body.subarray(3, 50)),
    record(body.subarray(50)),
  ]);
  assert.deepEqual(peekClientHello(split), { kind: "tls", hello: { serverName: "a.example", alpn: [] } });
});

test("anything else is plain, and no mutation of a hello throws", async () => {
  for (const text of ["GET / HTTP/1.1\r\n", "\x16\x02", "\x00", "PRI * HTTP/2.0"]) {
    assert.equal(peekClientHello(Buffer.from(text, "latin1")).kind, "plain", text);
  }
  const bytes = await realHello({ servername: "a.example", ALPNProtocols: ["istio"] });
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 0xff, (bytes[at] ?? 0) ^ 1]) {
      const mutated = Buffer.from(bytes);
      mutated[at] = value;
      assert.doesNotThrow(() => peekClientHello(mutated));
    }
  }
});

for (const { name, first, rest } of [
  {
    name: "a record of another kind in the middle",
    first: [0x16, 3, 1, 0, 1, 1],
    rest: Buffer.alloc(5, 0x17),
  },
  {
    name: "an empty record in the middle",
    first: [0x16, 3, 1, 0, 1, 1],
    rest: Buffer.from([0x16, 3, 1, 0, 0]),
  },
  {
    name: "a hello that comes byte by byte, each in a record",
    first: [0x16, 3, 1, 0, 1, 1],
    rest: Buffer.concat(Array.from({ length: 6000 }, () => Buffer.from([0x16, 3, 1, 0, 1, 0]))),
  },
]) {
  test(`${name} is not waited for: it would be kept without end`, () => {
    const begun = Buffer.from(first);
    assert.equal(peekClientHello(begun).kind, "incomplete");
    assert.equal(peekClientHello(Buffer.concat([begun, rest])).kind, "plain");
  });
}
