/**
 * Many clients of one line of maps, as they come and go, fall behind, refuse and reconnect in any order: each is told
 * what it would be told if the server kept and compared everything for that client alone.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DeltaOptions, DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import {
  type EncodedResource,
  NO_RESOURCES,
  type ResourceMap,
  resourceMap,
} from "../../mesh/xds/encoded-resource.ts";
import type { Change } from "../../mesh/xds/subscription.ts";
import { NaiveDelta, NaiveSotw, type Told } from "../../test/fakes/naive-subscriptions.ts";
import { Random } from "../../test/harness/random.ts";
import { SotwSubscription } from "./sotw-subscription.ts";

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);
const STEPS = 250;
const CLIENTS = 4;
const NAMES = Array.from({ length: 14 }, (_, index) => `n${index}`);

class Publications {
  readonly #random: Random;
  #map: ResourceMap = NO_RESOURCES;

  constructor(random: Random) {
    this.#random = random;
  }

  get newest(): ResourceMap {
    return this.#map;
  }

  next(): void {
    const random = this.#random;
    const edits = random
      .some(NAMES, random.pick([0.05, 0.3, 1]))
      .map((name) => [name, random.chance(0.3) ? undefined : resource(name, random.below(4))] as const);
    // Not all maps descend from the one before: a client may also change its class.
    this.#map = random.chance(0.1) ? resourceMap(this.#map.values()) : this.#map.edited(edits);
  }
}

function resource(name: string, version: number): EncodedResource {
  return { name, version: String(version), bytes: new Uint8Array() };
}

function told(change: Change | undefined): Told | undefined {
  if (change === undefined) return undefined;
  const { upserts, removals, heldBack } = change;
  const texts = upserts.map(({ name, version }) => `${name}@${version}`);
  return { upserts: texts.sort(), removals: removals.toSorted(), heldBack };
}

/** Name → version. */
function versionsOf(map: ResourceMap): ReadonlyMap<string, string> {
  return new Map([...map.values()].map(({ name, version }) => [name, version]));
}

interface Subject {
  readonly real: DeltaSubscription | SotwSubscription;
  readonly naive: NaiveDelta | NaiveSotw;
  /** A request that subscribes, at random; `responseNonce` answers. */
  ask(responseNonce: string): void;
  answer(nonce: string, message: string | undefined): void;
}

class DeltaSubject implements Subject {
  readonly real: DeltaSubscription;
  readonly naive: NaiveDelta;
  readonly #random: Random;

  constructor(options: DeltaOptions, random: Random) {
    this.real = new DeltaSubscription(options);
    this.naive = new NaiveDelta(options);
    this.#random = random;
  }

  ask(responseNonce: string): void {
    const random = this.#random;
    const share = random.pick([0, 0.1, 0.5, 1]);
    const wildcard = (): string[] => (random.chance(0.1) ? ["*"] : []);
    const request = {
      resourceNamesSubscribe: [...wildcard(), ...random.some(NAMES, share)],
      resourceNamesUnsubscribe: [...wildcard(), ...random.some(NAMES, share / 3)],
      initialResourceVersions: Object.fromEntries(
        random.some(NAMES, random.pick([0, 0.7])).map((name) => [name, String(random.below(4))]),
      ),
    };
    this.real.request({ ...request, responseNonce, errorDetail: undefined });
    this.naive.request(request);
  }

  answer(responseNonce: string, message: string | undefined): void {
    const errorDetail = message === undefined ? undefined : { message };
    this.real.request({
      resourceNamesSubscribe: [],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: {},
      responseNonce,
      errorDetail,
    });
  }
}

class SotwSubject implements Subject {
  readonly real: SotwSubscription;
  readonly naive: NaiveSotw;
  readonly #random: Random;
  #names: readonly string[] = [];

  constructor(wholeState: boolean, random: Random) {
    this.real = new SotwSubscription({ wholeState });
    this.naive = new NaiveSotw(wholeState);
    this.#random = random;
  }

  ask(responseNonce: string): void {
    const random = this.#random;
    const wildcard = random.chance(0.1) ? ["*"] : [];
    this.#names = [...wildcard, ...random.some(NAMES, random.pick([0, 0.2, 1]))];
    const { kind } = this.real.request({
      resourceNames: this.#names,
      responseNonce,
      errorDetail: undefined,
    });
    if (kind !== "stale") this.naive.request(this.#names);
  }

  answer(responseNonce: string, message: string | undefined): void {
    const errorDetail = message === undefined ? undefined : { message };
    this.real.request({ resourceNames: this.#names, responseNonce, errorDetail });
  }
}

/** One client: what the server tells it is compared with the naive answer at each step. */
class Client {
  readonly #subject: Subject;
  readonly #random: Random;
  #nonces = 0;

  constructor(subject: Subject, random: Random) {
    this.#subject = subject;
    this.#random = random;
    subject.ask("");
  }

  step(map: ResourceMap): void {
    const { real, naive } = this.#subject;
    const random = this.#random;
    const outstanding = real.outstanding?.nonce;
    switch (random.below(6)) {
      case 0:
        this.#subject.ask(random.chance(0.5) ? "" : (outstanding ?? ""));
        break;
      case 1: {
        const names = random.some(NAMES, 0.2);
        real.refresh(names);
        naive.refresh(names);
        break;
      }
      case 2:
        if (outstanding !== undefined) this.#answer(outstanding);
        break;
      default:
        this.#serve(map);
    }
    this.#compareState();
  }

  #answer(nonce: string): void {
    const { real } = this.#subject;
    const message = this.#random.chance(0.3) ? this.#random.pick(["no", "n1: no", "n1, n2: no"]) : undefined;
    const sent = real.outstanding;
    this.#subject.answer(nonce, message);
    for (const { name, version } of sent?.upserts ?? []) {
      // A refusal that names some refuses those alone.
      const named = sent?.upserts.some((one) => message?.includes(`${one.name}:`)) ?? false;
      if (message === undefined) assert.equal(real.rejected.has(name), false);
      else if (!named && message === "no" && real.covers(name))
        assert.equal(real.rejected.get(name), version);
    }
  }

  #serve(map: ResourceMap): void {
    const { real, naive } = this.#subject;
    const removals = this.#random.pick(["now", "later"] as const);
    const versions = versionsOf(map);
    // Asked twice, either way, it says the same: the owner asks for the status too.
    for (const again of ["later", "now", removals] as const) {
      assert.deepEqual(told(real.change(map, again)), naive.change(versions, again));
    }
    const change = real.change(map, removals);
    if (change === undefined || real.outstanding !== undefined || this.#random.chance(0.3)) return;
    const known = told(change);
    assert.ok(known);
    this.#nonces += 1;
    real.sent(String(this.#nonces), change);
    naive.sent(known);
  }

  #compareState(): void {
    const { real, naive } = this.#subject;
    assert.equal(real.wildcard, naive.wildcard);
    assert.equal(real.size, naive.known.size);
    for (const name of NAMES) assert.equal(real.covers(name), naive.covers(name));
    for (const name of real.rejected.keys()) assert.ok(real.covers(name), `${name} is refused, not wanted`);
    if (real instanceof DeltaSubscription) {
      assert.deepEqual([...real.knownNames()].sort(), [...naive.known.keys()].sort());
      assert.deepEqual([...real.names].sort(), [...naive.names].sort());
    }
  }
}

const cases: readonly { readonly name: string; readonly make: (random: Random) => Subject }[] = [
  {
    name: "delta, listeners and clusters",
    make: (random) => new DeltaSubject({ legacyWildcard: true, absence: "removed" }, random),
  },
  {
    name: "delta, endpoints and routes",
    make: (random) => new DeltaSubject({ legacyWildcard: false, absence: "removed" }, random),
  },
  {
    name: "delta, relayed",
    make: (random) => new DeltaSubject({ legacyWildcard: true, absence: "unknown" }, random),
  },
  { name: "state of the world, listeners and clusters", make: (random) => new SotwSubject(true, random) },
  { name: "state of the world, endpoints and routes", make: (random) => new SotwSubject(false, random) },
];

describe("subscriptions say what a naive server would say", () => {
  for (const { name, make } of cases) {
    test(name, () => {
      for (const seed of SEEDS) {
        const random = new Random(seed);
        const publications = new Publications(random);
        const clients = new Map<number, Client>();
        for (let step = 0; step < STEPS; step++) {
          if (random.chance(0.3)) publications.next();
          const which = random.below(CLIENTS);
          const gone = random.chance(0.02);
          const client = gone ? undefined : clients.get(which);
          const alive = client ?? new Client(make(random), random);
          clients.set(which, alive);
          try {
            alive.step(publications.newest);
          } catch (error) {
            throw new Error(`seed ${seed}, step ${step}`, { cause: error });
          }
        }
      }
    });
  }
});
