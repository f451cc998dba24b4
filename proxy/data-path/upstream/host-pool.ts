import type { ClientSession, ClientSessionObserver } from "../../codec/stream.ts";
import type { Cluster } from "../../model/cluster.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { SlotTaker } from "./connection-slots.ts";
import { UpstreamConnectError } from "./dial.ts";

const MOST_IDLE_CONNECTIONS = 64;
/** More requests than ever wait at a time. */
const MANY = 1_000_000;
/** At once: hundreds of handshakes side by side would all be late. Who waits gets the first connection with room. */
const MOST_COMING = 16;

/** A connection with its codec, opened; the observer is told from then on. */
export interface OpenedSession {
  readonly session: ClientSession;
  /** The verified server at the other end. */
  readonly peer: PeerCertificate | undefined;
  /** `address:port` of our end. */
  readonly localAddress: string;
}

/** What a pool needs of the cluster that its host is of. */
export interface PoolSource {
  readonly limits: Pick<Cluster, "idleTimeoutMs" | "maxRequestsPerConnection" | "maxConnectionMs">;
  readonly alarms: Alarms;
  /** One connection may turn out to have room for many requests: the first is waited for before more are made. */
  readonly mayShare: boolean;
  /** True while requests to other hosts wait for one of the cluster's connections. */
  readonly crowded: boolean;
  /** Takes one of the cluster's connections now, or in its turn. */
  takeSlot(taker: SlotTaker): void;
  leaveLine(taker: SlotTaker): void;
  /** A request begins to wait for a connection. Throws `UO` when too many do. */
  enter(): void;
  arrive(): void;
  /** Uses a slot that was taken, until the connection is gone. Rejects with `UpstreamConnectError`. */
  open(observer: ClientSessionObserver): Promise<OpenedSession>;
}

/** A request that needs a connection. Exactly one of the two is called, unless it leaves before. */
export interface PoolUser {
  /** Sends its request now. `reused`: the connection has served before. */
  ready(opened: OpenedSession, reused: boolean): void;
  unable(error: UpstreamConnectError): void;
}

/** The connections to one host that can stand in for each other. The one that was used last is used next. */
export class HostPool {
  readonly #source: PoolSource;
  readonly #users: PoolUser[] = [];
  /** Those with room for a request; the last is the one that was used last. */
  readonly #ready: PooledSession[] = [];
  readonly #sessions = new Set<PooledSession>();
  /** In line for one of the cluster's connections. */
  readonly #takers: SlotTaker[] = [];
  /** Connections that are being made, or will be. */
  #coming = 0;
  /** Requests that a new connection will have room for, by what the last one had. */
  #expected: number;
  #retired = false;

  constructor(source: PoolSource) {
    this.#source = source;
    this.#expected = source.mayShare ? MANY : 1;
  }

  /** Gives the user a connection: at once where there is one. */
  request(user: PoolUser): void {
    const ready = this.#pick();
    if (ready !== undefined) {
      this.#serve(ready, user);
      return;
    }
    try {
      this.#source.enter();
    } catch (error) {
      user.unable(asConnectError(error));
      return;
    }
    this.#users.push(user);
    this.#makeEnough();
  }

  /** A user that waits has no use for a connection any more. */
  leave(user: PoolUser): void {
    const index = this.#users.indexOf(user);
    if (index < 0) return;
    this.#users.splice(index, 1);
    this.#source.arrive();
    this.#makeNoMore();
  }

  /** Closes one idle connection; false when there is none. */
  closeIdle(): boolean {
    const idle = this.#ready.find(({ session }) => session.active === 0 && !session.closing);
    idle?.session.drain();
    return idle !== undefined;
  }

  /** Idle connections close now, busy ones when their requests are done. */
  retire(): void {
    this.#retired = true;
    for (const { session } of this.#sessions) session.drain();
  }

  /** Room in a session has changed. */
  changed(pooled: PooledSession): void {
    const { session } = pooled;
    if (session.closing || session.capacity === 0) return;
    while (this.#users.length > 0 && session.capacity > 0 && !session.closing) {
      const user = this.#users.shift();
      this.#source.arrive();
      if (user) this.#serve(pooled, user);
    }
    this.#makeNoMore();
    if (session.closing || session.capacity === 0) return;
    if (session.active === 0 && (this.#retired || this.#source.crowded || this.#hasEnough(pooled)))
      session.drain();
    else this.#offer(pooled);
  }

  gone(pooled: PooledSession): void {
    this.#sessions.delete(pooled);
    const index = this.#ready.indexOf(pooled);
    if (index >= 0) this.#ready.splice(index, 1);
    pooled.offered = false;
  }

  #hasEnough({ offered }: PooledSession): boolean {
    return !offered && this.#ready.length >= MOST_IDLE_CONNECTIONS;
  }

  #offer(pooled: PooledSession): void {
    if (pooled.session.active === 0) pooled.idle.set(this.#source.alarms, this.#source.limits.idleTimeoutMs);
    if (pooled.offered) return;
    pooled.offered = true;
    this.#ready.push(pooled);
  }

  #pick(): PooledSession | undefined {
    for (let last = this.#ready.at(-1); last !== undefined; last = this.#ready.at(-1)) {
      if (!last.session.closing && last.session.capacity > 0) return last;
      last.offered = false;
      this.#ready.pop();
    }
    return undefined;
  }

  #serve(pooled: PooledSession, user: PoolUser): void {
    const { session } = pooled;
    const most = this.#source.limits.maxRequestsPerConnection;
    pooled.uses++;
    pooled.idle.clear();
    user.ready(pooled.opened, pooled.uses > 1);
    if (most > 0 && pooled.uses >= most) session.drain();
    else if (this.#retired) session.drain();
    if (session.capacity === 0 && pooled === this.#ready.at(-1)) {
      pooled.offered = false;
      this.#ready.pop();
    }
  }

  #makeEnough(): void {
    while (this.#coming < MOST_COMING && this.#coming * this.#expected < this.#users.length) {
      this.#coming++;
      const taker = (): boolean => {
        const index = this.#takers.indexOf(taker);
        if (index >= 0) this.#takers.splice(index, 1);
        void this.#connect();
        return true;
      };
      this.#takers.push(taker);
      this.#source.takeSlot(taker);
    }
  }

  /** Those who wait have been served otherwise: who is in line for them leaves it. */
  #makeNoMore(): void {
    while (this.#takers.length > 0 && (this.#coming - 1) * this.#expected >= this.#users.length) {
      const taker = this.#takers.pop();
      this.#coming--;
      if (taker) this.#source.leaveLine(taker);
    }
  }

  async #connect(): Promise<void> {
    const pooled = new PooledSession(this);
    try {
      const opened = await this.#source.open(pooled);
      this.#coming--;
      pooled.start(opened);
      if (opened.session.closing) {
        this.#makeEnough();
        return;
      }
      this.#expected = Math.max(1, opened.session.capacity);
      this.#sessions.add(pooled);
      pooled.age.set(this.#source.alarms, this.#source.limits.maxConnectionMs);
      this.changed(pooled);
      this.#makeEnough();
    } catch (error) {
      this.#failShare(asConnectError(error));
      this.#coming--;
    }
  }

  /** Each connection that is being made stands for its share of those who wait: when none comes about, all are told. */
  #failShare(failure: UpstreamConnectError): void {
    for (let left = Math.ceil(this.#users.length / this.#coming); left > 0; left--) {
      const user = this.#users.shift();
      this.#source.arrive();
      user?.unable(failure);
    }
  }
}

class PooledSession implements ClientSessionObserver {
  readonly #pool: HostPool;
  /** It is among those that are ready. */
  offered = false;
  uses = 0;
  readonly idle = new Alarm(() => this.session.drain());
  readonly age = new Alarm(() => this.session.drain());
  #opened: OpenedSession | undefined;

  constructor(pool: HostPool) {
    this.#pool = pool;
  }

  start(opened: OpenedSession): void {
    this.#opened = opened;
  }

  get opened(): OpenedSession {
    if (this.#opened === undefined) throw new Error("the session is not open");
    return this.#opened;
  }

  get session(): ClientSession {
    return this.opened.session;
  }

  changed(): void {
    if (this.#opened) this.#pool.changed(this);
  }

  closed(): void {
    this.idle.clear();
    this.age.clear();
    this.#pool.gone(this);
  }
}

function asConnectError(error: unknown): UpstreamConnectError {
  return error instanceof UpstreamConnectError ? error : new UpstreamConnectError("UF", String(error), error);
}
