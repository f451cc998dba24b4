import assert from "node:assert/strict";
import { test } from "node:test";
import { normalizePath } from "../../proxy/data-path/http/path.ts";
import { Random } from "../../test/harness/random.ts";
import type { Target } from "../target.ts";
import { Campaign } from "./campaign.ts";
import { Coverage } from "./coverage.ts";
import { failureOf } from "./failure.ts";
import { minimise } from "./minimise.ts";
import { mutateMessage } from "./mutate-message.ts";

const RULES = { normalize: true, mergeSlashes: true, unescapeSlashes: true };

/** Breaks for paths that the normaliser refuses for a percent sign, which no seed has. */
const broken: Target = {
  name: "broken",
  longest: 100,
  words: ["%"],
  seeds: () => [Buffer.from("/a/b/c")],
  run(input) {
    const normal = normalizePath(`/${input.toString("latin1")}`, RULES);
    if (!normal.ok) throw new Error(normal.reason);
  },
};

test("what does not hold is found, made short, and told once", async () => {
  using coverage = new Coverage();
  const campaign = new Campaign(broken, coverage, { seed: 1, seconds: 2, watch: () => {} });
  await campaign.begin(broken.seeds());
  const before = coverage.size;
  await campaign.run();
  assert.ok(
    coverage.size > before && campaign.kept.length > 1,
    "new code is reached, and its inputs are kept",
  );
  const told = [...campaign.crashes.values()];
  assert.equal(told.length, 1);
  assert.equal(told[0]?.input.toString(), "%");
});

test("an input that takes long each time has failed, and one that takes long once has not", async () => {
  const spin = (ms: number): void => {
    for (const until = performance.now() + ms; performance.now() < until; );
  };
  let first = true;
  const once = (): void => {
    if (first) spin(300);
    first = false;
  };
  assert.equal(await failureOf(once, Buffer.alloc(0)), undefined);
  assert.equal((await failureOf(() => spin(300), Buffer.alloc(0)))?.kind, "slow");
});

test("what is left out does not matter, and what does not matter is made plain", async () => {
  const short = await minimise(Buffer.from("xxxxAxxxxxxxBxxxx"), async (bytes) => {
    const text = bytes.toString();
    return await Promise.resolve(
      text.length > 2 && text.indexOf("A") >= 0 && text.indexOf("B") > text.indexOf("A"),
    );
  });
  assert.match(short.toString(), /^(?:aAB|AaB|ABa)$/);
});

test("changes of a message mostly leave a message", () => {
  const random = new Random(1);
  // Field 1 is a message with the text "abc" in its field 2; field 3 is the number 5.
  const message = Buffer.from([0x0a, 5, 0x12, 3, 0x61, 0x62, 0x63, 0x18, 5]);
  let whole = 0;
  for (let round = 0; round < 500; round++)
    if (isMessage(mutateMessage(random, message, message, ["*"]))) whole++;
  assert.ok(whole > 400, `${whole} of 500`);
});

/** Fields 1 to 15 with short lengths are all that there is. */
function isMessage(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    const type = (bytes[at++] ?? 0) & 7;
    if (type === 2) at += 1 + (bytes[at] ?? 0);
    else if (type === 0) {
      while ((bytes[at] ?? 0) >= 0x80) at++;
      at++;
    } else return false;
  }
  return at === bytes.length;
}
