import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { callbackify } from "node:util";
import { Agent, request } from "undici";
import type { AddressTest } from "./allowed-addresses.ts";

export interface FetchLimits {
  readonly mayConnect: AddressTest;
  /** Documents without TLS, which anybody on the way can change. */
  readonly allowHttp: boolean;
  /** PEM of authorities; undefined: those that Node knows. */
  readonly ca: string | undefined;
  /** All addresses of a name; the system's unless a test gives it. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
}

const LARGEST_BYTES = 1024 * 1024;
const MOST_REDIRECTS = 3;

/**
 * Fetches documents that others name. A name is looked up once and the addresses that were judged are those that are
 * connected to, so that it cannot mean another one a moment later; every redirect is judged again.
 */
export class DocumentFetcher implements AsyncDisposable {
  readonly #limits: FetchLimits;
  readonly #agent: Agent;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
    this.#agent = new Agent({
      maxResponseSize: LARGEST_BYTES,
      pipelining: 0,
      maxHeaderSize: 16 * 1024,
      connect: { lookup: this.#lookup, ...(limits.ca === undefined ? {} : { ca: limits.ca }) },
    });
  }

  /** The text of a document; rejects with what went wrong, in words, and when the signal is aborted. */
  async fetch(url: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      return await this.#follow(url, within);
    } catch (error) {
      if (within.aborted && !signal.aborted)
        throw new Error(`no whole answer within ${timeoutMs} ms`, { cause: error });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(first: string, signal: AbortSignal): Promise<string> {
    let url = this.#judged(first);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const { statusCode, headers, body } = await request(url, {
        dispatcher: this.#agent,
        signal,
        headers: { accept: "application/json", "user-agent": "lateen" },
      });
      if (statusCode === 200) return await body.text();
      await body.dump({ limit: 16 * 1024, signal });
      const location = [301, 302, 303, 307, 308].includes(statusCode) ? headers["location"] : undefined;
      if (typeof location !== "string") throw new Error(`the answer is ${statusCode}`);
      url = this.#judged(location, url);
    }
    throw new Error(`more than ${MOST_REDIRECTS} redirects`);
  }

  #judged(text: string, base?: URL): URL {
    const url = URL.parse(text, base?.href);
    if (url === null) throw new Error("it is no URL");
    if (url.protocol !== "https:" && !(url.protocol === "http:" && this.#limits.allowHttp))
      throw new Error(`${url.protocol} is not allowed (jwks.allowHttp)`);
    if (url.username !== "" || url.password !== "") throw new Error("a URL with a user in it is not allowed");
    const host = url.hostname.replace(/^\[|\]$/g, "");
    // A literal address is not looked up.
    if (isIP(host) !== 0 && !this.#limits.mayConnect(host)) throw refusedAddress(host);
    return url;
  }

  readonly #lookup: LookupFunction = (name, options, done) => {
    callbackify(() => this.#addressesOf(name))((error, found) => {
      const [first] = found ?? [];
      if (first === undefined) done(error ?? new Error(`${name} has no address`), []);
      else if (options.all === true) done(null, found);
      else done(null, first.address, first.family);
    });
  };

  async #addressesOf(name: string): Promise<{ readonly address: string; readonly family: number }[]> {
    const { lookup = allAddresses, mayConnect } = this.#limits;
    const addresses = await lookup(name);
    const refused = addresses.find((address) => !mayConnect(address));
    if (refused !== undefined) throw refusedAddress(refused);
    return addresses.map((address) => ({ address, family: isIP(address) }));
  }
}

function refusedAddress(address: string): Error {
  return new Error(`address ${address} is not allowed (jwks.allowAddresses)`);
}

async function allAddresses(name: string): Promise<readonly string[]> {
  return (await systemLookup(name, { all: true })).map(({ address }) => address);
}
