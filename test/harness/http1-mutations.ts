import { Random } from "./random.ts";

/** Requests that are good, one or several on a connection. */
const SEEDS: readonly string[] = [
  "GET /a?b=c HTTP/1.1\r\nHost: shop:80\r\nX-A: 1\r\n\r\n",
  "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-B: 2\r\n\r\nhello",
  "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;e=f\r\nabc\r\n0\r\n\r\n",
  "PUT /q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\nGET /admin HTTP/1.1\r\nHost: b\r\n\r\n",
  "POST /r HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\nabcGET /admin HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
  "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-A\r\nX-A: 1\r\n\r\n",
];

/** What has told two parsers apart before: line ends, blanks, separators, controls, and what folds into others. */
const OCTETS = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "_",
  "\x0b",
  "\x7f",
  "\x80",
  "\xff",
  "0",
  "-",
  "+",
];

const LINES = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length : 5",
  "Content-Length:",
  "Content-Length: 0x5",
  "Content-Length: 9999999999999999999",
  "Content_Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding:\x0bchunked",
  "Transfer-Encoding\t: chunked",
  "Transfer_Encoding: chunked",
  " Transfer-Encoding: chunked",
  "Host: b",
  "Host: a, b",
  "Host:",
  "Connection: transfer-encoding, content-length, host",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "X-Folded: a\r\n b",
  ": x",
  "x",
];

/** Every good request with one thing wrong with it, or nothing: in each place, by a table. Many are still good. */
export function framingMutations(): readonly string[] {
  const mutations = new Set(SEEDS);
  for (const seed of SEEDS) {
    for (const line of LINES) {
      mutations.add(seed.replace("\r\n", `\r\n${line}\r\n`));
      mutations.add(seed.replace("\r\n\r\n", `\r\n${line}\r\n\r\n`));
    }
    for (let at = 0; at < seed.length; at++) {
      mutations.add(seed.slice(0, at) + seed.slice(at + 1));
      for (const octet of OCTETS) mutations.add(seed.slice(0, at) + octet + seed.slice(at + octet.length));
      if (at % 3 === 0) for (const octet of OCTETS) mutations.add(seed.slice(0, at) + octet + seed.slice(at));
    }
  }
  return [...mutations];
}

/** Requests with several things wrong, by chance; the same for the same seed. */
export function* randomMutations(seed: number, count: number): Generator<string> {
  const random = new Random(seed);
  for (let made = 0; made < count; made++) {
    let text = random.pick(SEEDS) + (random.chance(0.3) ? random.pick(SEEDS) : "");
    for (let edits = 1 + random.below(4); edits > 0; edits--) {
      const at = random.below(text.length);
      const to = at + random.below(6);
      const edit = random.below(5);
      if (edit === 0) text = text.slice(0, at) + text.slice(to);
      else if (edit === 1) text = text.slice(0, at) + text.slice(at, to) + text.slice(at);
      else if (edit === 2) text = text.slice(0, at) + random.pick(OCTETS) + text.slice(at);
      else if (edit === 3) text = text.replace("\r\n", `\r\n${random.pick(LINES)}\r\n`);
      else text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    }
    yield text;
  }
}
