import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { objectKey } from "../../mesh/model/object.ts";
import { parseDocuments } from "../../mesh/model/parse-documents.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { MemoryConfigStore } from "../../test/fakes/memory-config-store.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { openDatabase } from "../store/database.ts";
import { KeptKeySets, type KeySetMemory } from "./kept-key-sets.ts";
import { KeySetKeeper } from "./key-set-keeper.ts";

const [FIRST = "", SECOND = ""] = ["a", "b"].map((kid) => {
  const { publicKey } = generateKeyPairSync("ed25519");
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid }] });
});

const ISSUER = "https://issuer.test";
const REFRESH_MS = 1_200_000;
const TERMS = { allowHttp: false, allowAddresses: [], caFile: undefined, refreshSeconds: 1_200 };

function keptIn(database = openDatabase(":memory:"), terms: Partial<typeof TERMS> = {}): KeptKeySets {
  return new KeptKeySets(database, { ...TERMS, ...terms });
}

/** A keeper over a store; documents are what the test puts under their URLs. */
class Setup implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly store: MemoryConfigStore = new MemoryConfigStore(this.clock);
  readonly documents = new Map<string, string>();
  readonly asked: string[] = [];
  readonly published: (readonly [source: string, kid: string | undefined])[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /** With the objects and the memory of a server before it. */
  constructor({
    yaml = "",
    memory = keptIn(),
  }: { readonly yaml?: string; readonly memory?: KeySetMemory } = {}) {
    if (yaml !== "") this.apply(yaml);
    const keeper = new KeySetKeeper({
      store: this.store,
      fetcher: {
        fetch: async (url, timeoutMs) => {
          this.asked.push(`${url} ${timeoutMs}`);
          const found = this.documents.get(url);
          if (found === undefined) throw new Error("the answer is 503");
          return await Promise.resolve(found);
        },
      },
      memory,
      publish: (source, keys) => this.published.push([source, keys && /"kid":"(\w+)"/.exec(keys)?.[1]]),
      refreshMs: REFRESH_MS,
      clock: this.clock,
      random: () => 1,
      logger: silentLogger,
    });
    this.#running = keeper.run(this.#stop.signal);
  }

  apply(rule: string, name = "a"): void {
    const yaml = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: ${name} }
spec: { jwtRules: [${rule}] }
`;
    const { objects } = parseDocuments(yaml, { defaultNamespace: "default" });
    this.store.apply(objects, { origin: "api" });
  }

  /** Waits until that many documents have been asked for, and whoever asked waits for its next turn. */
  async settled(asked: number, sleeping = 1): Promise<void> {
    await eventually(`${asked} documents are asked for, of ${this.asked.length}`, () =>
      Promise.resolve(this.asked.length === asked && this.clock.sleeping === sleeping ? true : undefined),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

test("keys are fetched, fetched again, and told when they are others", async () => {
  await using setup = new Setup();
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.apply(`{ issuer: "${ISSUER}", jwksUri: "${ISSUER}/keys", timeout: 9s }`);
  await setup.settled(1);
  assert.deepEqual(setup.asked, [`${ISSUER}/keys 9000`]);
  setup.clock.advance(REFRESH_MS);
  await setup.settled(2);
  assert.deepEqual(setup.published, [[`${ISSUER}/keys`, "a"]]);
  setup.documents.set(`${ISSUER}/keys`, SECOND);
  setup.clock.advance(REFRESH_MS);
  await setup.settled(3);
  assert.deepEqual(setup.published.at(-1), [`${ISSUER}/keys`, "b"]);
});

test("keys that cannot be had any more stay, and are asked for sooner", async () => {
  await using setup = new Setup();
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.apply(`{ issuer: "${ISSUER}", jwksUri: "${ISSUER}/keys" }`);
  await setup.settled(1);
  setup.documents.clear();
  setup.clock.advance(REFRESH_MS);
  await setup.settled(2);
  setup.documents.set(`${ISSUER}/keys`, '{"keys":[{"kty":"oct","k":"AAAA"}]}');
  setup.clock.advance(2_000);
  await setup.settled(3);
  assert.deepEqual(setup.published, [[`${ISSUER}/keys`, "a"]]);
  setup.documents.set(`${ISSUER}/keys`, SECOND);
  setup.clock.advance(4_000);
  await setup.settled(4);
  assert.deepEqual(setup.published.at(-1), [`${ISSUER}/keys`, "b"]);
});

test("an issuer's OpenID configuration says where its keys are, when it is its own", async () => {
  await using setup = new Setup();
  const place = `${ISSUER}/.well-known/openid-configuration`;
  setup.documents.set(place, JSON.stringify({ issuer: "https://else.test", jwks_uri: `${ISSUER}/keys` }));
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.apply(`{ issuer: "${ISSUER}" }`);
  await setup.settled(1);
  assert.deepEqual(setup.published, []);
  setup.documents.set(place, JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }));
  setup.clock.advance(2_000);
  await setup.settled(3);
  assert.deepEqual(setup.published, [[`openid:${ISSUER}`, "a"]]);
});

test("a source is fetched once for all rules that name it, and no more when none does", async () => {
  await using setup = new Setup();
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.apply(`{ issuer: a, jwksUri: "${ISSUER}/keys" }, { issuer: b, jwksUri: "${ISSUER}/keys" }`);
  setup.apply(`{ issuer: c, jwksUri: "${ISSUER}/keys" }`, "b");
  await setup.settled(1);
  setup.store.delete(objectKey("RequestAuthentication", "default", "a"), { origin: "api" });
  assert.equal(setup.published.length, 1);
  setup.store.delete(objectKey("RequestAuthentication", "default", "b"), { origin: "api" });
  assert.deepEqual(setup.published.at(-1), [`${ISSUER}/keys`, undefined]);
  setup.clock.advance(REFRESH_MS);
  await setup.settled(1, 0);
});

test("keys that a rule brings are not fetched", async () => {
  await using setup = new Setup();
  setup.apply(`{ issuer: a, jwks: ${JSON.stringify(FIRST)} }`);
  await setup.settled(0, 0);
});

const RULE = `{ issuer: "${ISSUER}", jwksUri: "${ISSUER}/keys" }`;

test("after a restart the keys are those of before, until the issuer answers", async () => {
  const database = openDatabase(":memory:");
  {
    await using setup = new Setup({ yaml: RULE, memory: keptIn(database) });
    setup.documents.set(`${ISSUER}/keys`, FIRST);
    await setup.settled(1);
    assert.equal(setup.published.length, 0);
    setup.clock.advance(2_000);
    await setup.settled(2);
    assert.equal(setup.published.length, 1);
  }
  await using setup = new Setup({ yaml: RULE, memory: keptIn(database) });
  assert.deepEqual(setup.published, [[`${ISSUER}/keys`, "a"]]);
  await setup.settled(1);
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.clock.advance(2_000);
  await setup.settled(2);
  assert.equal(setup.published.length, 1);
  setup.documents.set(`${ISSUER}/keys`, SECOND);
  setup.clock.advance(REFRESH_MS);
  await setup.settled(3);
  assert.deepEqual(setup.published.at(-1), [`${ISSUER}/keys`, "b"]);
  assert.match(keptIn(database).get(`${ISSUER}/keys`) ?? "", /"kid":"b"/);
});

test("keys that nobody asks for any more are forgotten, at the start and later", async () => {
  const database = openDatabase(":memory:");
  const memory = keptIn(database);
  memory.put("https://gone.test/keys", FIRST);
  memory.put(`${ISSUER}/keys`, FIRST);
  await using setup = new Setup({ yaml: RULE, memory });
  assert.equal(memory.get("https://gone.test/keys"), undefined);
  assert.equal(setup.published.length, 1);
  setup.store.delete(objectKey("RequestAuthentication", "default", "a"), { origin: "api" });
  assert.equal(memory.get(`${ISSUER}/keys`), undefined);
});

const unusable: readonly {
  readonly name: string;
  readonly keys: string;
  readonly terms: Partial<typeof TERMS>;
}[] = [
  { name: "were fetched when http was allowed", keys: FIRST, terms: { allowHttp: true } },
  { name: "the rules of today refuse", keys: '{"keys":[{"kty":"oct","k":"AAAA"}]}', terms: {} },
];
for (const { name, keys, terms } of unusable) {
  test(`kept keys that ${name} are not used`, async () => {
    const database = openDatabase(":memory:");
    keptIn(database, terms).put(`${ISSUER}/keys`, keys);
    await using setup = new Setup({ yaml: RULE, memory: keptIn(database) });
    await setup.settled(1);
    assert.deepEqual(setup.published, []);
  });
}

test("a memory that fails costs no keys", async () => {
  const fail = (): never => {
    throw new Error("the disk is full");
  };
  await using setup = new Setup({ memory: { get: fail, put: fail, keepOnly: fail } });
  setup.documents.set(`${ISSUER}/keys`, FIRST);
  setup.apply(RULE);
  await eventually("the keys", () => setup.published.length === 1);
});
