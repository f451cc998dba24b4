import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientSession, ClientSessionObserver } from "../../codec/stream.ts";
import { Alarms } from "../../transport/alarms.ts";
import { ConnectionSlots } from "./connection-slots.ts";
import { UpstreamConnectError } from "./dial.ts";
import { HostPool, type OpenedSession, type PoolSource, type PoolUser } from "./host-pool.ts";

/** A session that requests are put into, and taken out of, by hand. */
class FakeSession implements ClientSession {
  readonly #observer: ClientSessionObserver;
  readonly #most: number;
  active = 0;
  closing = false;

  constructor(observer: ClientSessionObserver, most: number) {
    this.#observer = observer;
    this.#most = most;
  }

  get capacity(): number {
    return this.closing ? 0 : this.#most - this.active;
  }

  request(): never {
    throw new Error("not asked here");
  }

  finish(): void {
    this.active--;
    this.#observer.changed();
  }

  drain(): void {
    if (this.closing) return;
    this.closing = true;
    this.#observer.changed();
    if (this.active === 0) this.destroy();
  }

  destroy(): void {
    this.closing = true;
    this.#observer.closed();
  }
}

class User implements PoolUser {
  session: FakeSession | undefined;
  reused: boolean | undefined;
  failure: UpstreamConnectError | undefined;

  ready({ session }: OpenedSession, reused: boolean): void {
    assert.equal(this.session ?? this.failure, undefined, "told once");
    this.session = session as FakeSession;
    this.session.active++;
    this.reused = reused;
  }

  unable(error: UpstreamConnectError): void {
    assert.equal(this.session ?? this.failure, undefined, "told once");
    this.failure = error;
  }
}

interface Opening {
  readonly observer: ClientSessionObserver;
  readonly settle: PromiseWithResolvers<OpenedSession>;
}

interface Ground {
  readonly pool: HostPool;
  readonly openings: Opening[];
  readonly slots: ConnectionSlots;
  /** Lets the oldest connection that is being made come about. */
  readonly open: (capacity?: number) => Promise<FakeSession>;
  readonly fail: () => Promise<void>;
  readonly ask: () => User;
}

function ground(
  options: { maxConnections?: number; maxPending?: number; maxRequests?: number } = {},
): Ground {
  const { maxConnections = 1000, maxPending = 1000, maxRequests = 0 } = options;
  const openings: Opening[] = [];
  const slots = new ConnectionSlots();
  const source: PoolSource = {
    mayShare: false,
    limits: { idleTimeoutMs: 0, maxRequestsPerConnection: maxRequests, maxConnectionMs: 0 },
    alarms: new Alarms(() => performance.now()),
    get crowded() {
      return slots.wanted;
    },
    takeSlot(taker) {
      if (slots.open >= maxConnections) slots.wait(taker);
      else {
        slots.take(maxConnections);
        taker();
      }
    },
    leaveLine: (taker) => slots.leave(taker),
    enter: () => slots.enter(maxPending),
    arrive: () => slots.arrive(),
    open: async (observer) => {
      const settle = Promise.withResolvers<OpenedSession>();
      openings.push({ observer, settle });
      return await settle.promise;
    },
  };
  const pool = new HostPool(source);
  const next = (): Opening => {
    const opening = openings.shift();
    assert.ok(opening, "a connection is being made");
    return opening;
  };
  return {
    pool,
    openings,
    slots,
    open: async (capacity = 1) => {
      const { observer, settle } = next();
      const release: ClientSessionObserver = {
        changed: () => observer.changed(),
        closed: () => {
          slots.release();
          observer.closed();
        },
      };
      const session = new FakeSession(release, capacity);
      settle.resolve({ session, peer: undefined, localAddress: "" });
      await new Promise((resolve) => setImmediate(resolve));
      return session;
    },
    fail: async () => {
      slots.release();
      next().settle.reject(new UpstreamConnectError("UF", "refused"));
      await new Promise((resolve) => setImmediate(resolve));
    },
    ask: () => {
      const user = new User();
      pool.request(user);
      return user;
    },
  };
}

test("the connection that was used last is used next", async () => {
  const { ask, open } = ground();
  ask();
  ask();
  const [first, second] = [await open(), await open()];
  second.finish();
  first.finish();
  const user = ask();
  assert.deepEqual([user.session, user.reused], [first, true]);
  assert.equal(ask().session, second);
});

test("who waits gets the first connection with room, and few are made at once", async () => {
  const { ask, open, openings } = ground();
  const users = Array.from({ length: 40 }, ask);
  assert.equal(openings.length, 16);
  const session = await open();
  assert.equal(users[0]?.session, session);
  for (let index = 1; index < 40; index++) session.finish();
  assert.ok(users.every((user) => user.session === session));
});

test("a session with room for many serves many, and no other is opened meanwhile", async () => {
  const { ask, open, openings } = ground();
  const first = ask();
  const session = await open(100);
  assert.equal(first.session, session);
  const users = Array.from({ length: 99 }, ask);
  assert.ok(users.every((user) => user.session === session));
  assert.equal(openings.length, 0);
  Array.from({ length: 50 }, ask);
  assert.equal(openings.length, 1, "one more has room for all of them");
});

test("when no connection comes about all who wait are told, once", async () => {
  const { ask, fail, openings, slots } = ground();
  const users = Array.from({ length: 40 }, ask);
  for (let index = 0; index < 16; index++) await fail();
  assert.ok(users.every(({ failure }) => failure?.flag === "UF"));
  assert.deepEqual([openings.length, slots.open], [0, 0]);
});

test("limits: one connection, the rest in turn; too many that wait are told", async () => {
  const { ask, open, slots, openings } = ground({ maxConnections: 1, maxPending: 2 });
  const [first, second, third, fourth] = [ask(), ask(), ask(), ask()];
  assert.deepEqual([third.failure?.flag, fourth.failure?.flag, openings.length], ["UO", "UO", 1]);
  const session = await open();
  assert.equal(first.session, session);
  session.finish();
  assert.equal(second.session, session);
  session.finish();
  assert.deepEqual([session.closing, slots.wanted, slots.open], [false, false, 1]);
});

test("who leaves is not served, and its place in line is given up", async () => {
  const { pool, ask, open, slots } = ground({ maxConnections: 1 });
  const [first, second] = [ask(), ask()];
  pool.leave(second);
  assert.equal(slots.wanted, false);
  const session = await open();
  session.finish();
  assert.deepEqual([first.session, second.session], [session, undefined]);
});

test("a spent connection, and one of a pool that is retired, closes when it has nothing to do", async () => {
  const spent = ground({ maxRequests: 1 });
  spent.ask();
  const used = await spent.open();
  assert.ok(used.closing);
  used.finish();
  spent.ask();
  assert.equal(spent.openings.length, 1);

  const { pool, ask, open } = ground();
  ask();
  const session = await open();
  pool.retire();
  assert.deepEqual([session.closing, session.active], [true, 1]);
});
