import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Place, WireApps } from "./wire-apps.ts";
import { type Answer, httpCall, tcpCall } from "./wire-calls.ts";
import type { Call, HttpCall, Shares, TcpCall, Want, WireCall } from "./wire-case.ts";

/** The first call of a case may come before a worker listens. */
const LISTENS_WITHIN_MS = 2_000;

export interface WireRunOptions {
  readonly apps: WireApps;
  /** What the name server says. */
  readonly names: Map<string, readonly string[]>;
  /** Where calls to an upstream come in. */
  readonly placeOf: (to: string) => Place;
  /** `127.x.y`: callers are in it. */
  readonly block: string;
  /** Puts other objects in force. */
  readonly apply: (yaml: string) => Promise<void>;
}

/** Calls of one case, to what is in force for it. */
export class WireRun {
  readonly apps: WireApps;
  readonly names: Map<string, readonly string[]>;
  readonly apply: (yaml: string) => Promise<void>;
  readonly #placeOf: (to: string) => Place;
  readonly #block: string;

  constructor({ apps, names, apply, placeOf, block }: WireRunOptions) {
    this.apps = apps;
    this.names = names;
    this.apply = apply;
    this.#placeOf = placeOf;
    this.#block = block;
  }

  async http(to: string, over: Partial<HttpCall> = {}): Promise<Answer> {
    return this.send({ kind: "http", to, ...over });
  }

  async tcp(to: string, over: Partial<TcpCall> = {}): Promise<Answer> {
    return this.send({ kind: "tcp", to, ...over });
  }

  /** Calls that are all there at once. */
  async atOnce(times: number, to: string, over: Partial<HttpCall> = {}): Promise<readonly Answer[]> {
    return Promise.all(Array.from({ length: times }, () => this.http(to, over)));
  }

  /** A TCP connection that an application has answered on; its caller closes it. */
  async open(to: string): Promise<Socket> {
    const { address, port } = this.#placeOf(to);
    const socket = connect({ host: address, port, noDelay: true });
    socket.on("error", () => undefined);
    socket.write("hello\n");
    await once(socket, "data");
    socket.resume();
    return socket;
  }

  /** A connection whose caller sends these bytes and no more, until the other side closes it. */
  async abandoned(
    to: string,
    bytes: Buffer,
  ): Promise<{ readonly waitedMs: number; readonly answered: boolean }> {
    const { address, port } = this.#placeOf(to);
    const start = performance.now();
    const socket = connect({ host: address, port, noDelay: true });
    // A reset is an end as well, so an error is not waited for.
    const closed = new Promise<void>((resolve) => socket.on("error", () => undefined).once("close", resolve));
    socket.write(bytes);
    socket.resume();
    await closed;
    return { waitedMs: performance.now() - start, answered: socket.bytesRead > 0 };
  }

  /** How often each application answered. */
  async tally(times: number, call: Call): Promise<Readonly<Record<string, number>>> {
    const seen: Record<string, number> = {};
    for (let left = times; left > 0; left--) {
      const who = whoOf(await this.send(call));
      seen[who] = (seen[who] ?? 0) + 1;
    }
    return seen;
  }

  async check(one: WireCall): Promise<void> {
    const what = JSON.stringify(one.call);
    if ("want" in one) checkAnswer(await this.send(one.call), one.want, what);
    else checkShares(await this.tally(one.times, one.call), one.shares, what);
  }

  async send(call: Call): Promise<Answer> {
    const end = performance.now() + LISTENS_WITHIN_MS;
    for (;;) {
      const answer = await this.#sendOnce(call);
      if (answer.failure !== "ECONNREFUSED" || performance.now() > end) return answer;
      await delay(5);
    }
  }

  async #sendOnce(call: Call): Promise<Answer> {
    const { to, source } = call;
    const at = {
      ...this.#placeOf(to),
      from: source === undefined ? undefined : `${this.#block}.${source}`,
    };
    if (call.kind === "tcp") return tcpCall(at, call);
    if (!to.startsWith("proxy ")) return httpCall(at, call, hostOf(to));
    const authority = to.slice("proxy ".length);
    return httpCall(at, { ...call, path: `http://${authority}${call.path ?? "/"}` }, authority);
  }
}

/** Of a call's `to`. */
export function hostOf(to: string): string {
  return to.slice(to.indexOf(" ") + 1, to.lastIndexOf(":"));
}

function whoOf({ status, echo, failure }: Answer): string {
  if (echo !== undefined) return echo.app;
  return status === 0 ? `nobody (${failure})` : `nobody (${status})`;
}

export function checkAnswer(answer: Answer, want: Want, what: string): void {
  const { status, echo, failure, body } = answer;
  const got = `${what}: ${status} ${failure}${body.slice(0, 400)}`;
  if (want.status !== undefined) assert.equal(status, want.status, got);
  if (want.from !== undefined) assert.equal(echo?.app ?? "nobody", want.from, got);
  for (const [name, value] of Object.entries(want.echo ?? {})) {
    assert.equal(echo?.[name as keyof typeof echo], value, `${name} of ${got}`);
  }
  for (const [name, value] of Object.entries(want.seen ?? {})) {
    assert.equal(echo?.headers?.[name], value, `${name}, as the application saw it, of ${got}`);
  }
  for (const [name, value] of Object.entries(want.answer ?? {})) {
    assert.equal(answer.headers[name], value, `${name} of the answer of ${got}`);
  }
  if (want.tookMs !== undefined) {
    const [least, most] = want.tookMs;
    assert.ok(answer.tookMs >= least && answer.tookMs <= most, `after ${answer.tookMs} ms: ${got}`);
  }
}

function checkShares(seen: Readonly<Record<string, number>>, shares: Shares, what: string): void {
  const got = `${what}: ${JSON.stringify(seen)}`;
  for (const who of Object.keys(seen)) assert.ok(who in shares, got);
  for (const [who, [least, most]] of Object.entries(shares)) {
    const count = seen[who] ?? 0;
    assert.ok(count >= least && count <= most, `${who} of ${got}`);
  }
}
