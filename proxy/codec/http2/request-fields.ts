import { isAuthority } from "../field-syntax.ts";
import type { BodyLength, RequestHead } from "../stream.ts";
import { isTarget, isToken } from "./characters.ts";
import { ReceivedFields } from "./received-fields.ts";

/** Answered with the status, or malformed: nothing in it can be trusted to be a request (RFC 9113 §8.1.1). */
export interface RequestRefusal {
  readonly kind: "status" | "malformed";
  readonly status: 400 | 431;
  readonly reason: string;
}

const NO_BODY: BodyLength = { kind: "none" };
const STREAMED: BodyLength = { kind: "streamed" };

/** The field section of a request (RFC 9113 §8.3.1, §8.5, RFC 8441 §4). */
export class RequestFields extends ReceivedFields {
  #method: string | undefined;
  #scheme: string | undefined;
  #path: string | undefined;
  #authority: string | undefined;
  #protocol: string | undefined;
  #host: string | undefined;
  #expectsContinue = false;

  override begin(): void {
    super.begin();
    this.#method = undefined;
    this.#scheme = undefined;
    this.#path = undefined;
    this.#authority = undefined;
    this.#protocol = undefined;
    this.#host = undefined;
    this.#expectsContinue = false;
  }

  protected override pseudo(name: string, value: string): void {
    switch (name) {
      case ":method":
        if (this.#method !== undefined || !isToken(value)) this.problem = ":method";
        this.#method = value;
        return;
      case ":scheme":
        // Of no other scheme is anything asked here, and the next hop would take it for a broken request of ours.
        if (this.#scheme !== undefined || (value !== "http" && value !== "https")) this.problem = ":scheme";
        this.#scheme = value;
        return;
      case ":path":
        if (this.#path !== undefined || !isTarget(value)) this.problem = ":path";
        this.#path = value;
        return;
      case ":authority":
        if (this.#authority !== undefined) this.problem = ":authority";
        this.#authority = value;
        return;
      case ":protocol":
        if (this.#protocol !== undefined || !isToken(value)) this.problem = ":protocol";
        this.#protocol = value;
        return;
      default:
        this.problem = "unknown pseudo-header";
    }
  }

  protected override regular(name: string, value: string): void {
    if (name === "host") {
      if (this.#host !== undefined) this.problem = "two hosts";
      this.#host = value;
    } else if (name === "expect" && value.toLowerCase() === "100-continue") {
      this.#expectsContinue = true;
    } else {
      this.headers.appendAs(name, name, value);
    }
  }

  /** What can be said of a request that was refused. */
  get method(): string {
    return this.#method ?? "";
  }

  get target(): string {
    return this.#path ?? "";
  }

  /** `ended`: END_STREAM came with the section. */
  head(ended: boolean): RequestHead | RequestRefusal {
    if (this.problem !== undefined) return malformed(this.problem);
    if (this.tooLarge) return { kind: "status", status: 431, reason: "header size" };
    const method = this.#method;
    if (method === undefined) return malformed("no :method");
    const problem = this.#targetProblem(method);
    if (problem !== undefined) return malformed(problem);
    if (this.#authority !== undefined && this.#host !== undefined && !sameHost(this.#authority, this.#host)) {
      return malformed("host is not :authority");
    }
    const authority = this.#authority ?? this.#host;
    if (authority === undefined || !isAuthority(authority))
      return { kind: "status", status: 400, reason: "authority" };
    if (ended && (this.contentLength ?? 0) > 0)
      return malformed("content-length of a body that is not there");
    const tunnel = method === "CONNECT";
    return {
      // Other codecs know the change of protocols as a GET (RFC 8441 §5).
      method: this.#protocol === undefined ? method : "GET",
      target: this.#path ?? "",
      authority,
      scheme: this.#scheme,
      upgrade: this.#protocol,
      headers: this.finish(),
      body: ended
        ? NO_BODY
        : this.contentLength === undefined || tunnel
          ? STREAMED
          : { kind: "sized", bytes: this.contentLength },
      expectsContinue: this.#expectsContinue,
    };
  }

  #targetProblem(method: string): string | undefined {
    if (method === "CONNECT" && this.#protocol === undefined) {
      return this.#scheme !== undefined || this.#path !== undefined || this.#authority === undefined
        ? "pseudo-headers of CONNECT"
        : undefined;
    }
    if (this.#protocol !== undefined && method !== "CONNECT") return ":protocol without CONNECT";
    if (this.#scheme === undefined) return "no :scheme";
    if (this.#path === undefined) return "no :path";
    const origin = this.#path.startsWith("/") || (this.#path === "*" && method === "OPTIONS");
    return origin ? undefined : ":path is not of origin form";
  }
}

function malformed(reason: string): RequestRefusal {
  return { kind: "malformed", status: 400, reason };
}

function sameHost(authority: string, host: string): boolean {
  return authority === host || authority.toLowerCase() === host.toLowerCase();
}
