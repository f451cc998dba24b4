import type { RequestHead } from "../../codec/stream.ts";
import type { RequestFacts } from "../../tables/facts.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { RequestMetadata } from "../../tables/metadata.ts";

/** A request as tables look at it: its head after normalisation. Headers are looked up as they are then. */
export class HeadFacts implements RequestFacts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authority: string;
  readonly scheme: string;
  readonly metadata: RequestMetadata;
  readonly #headers: HeaderList;
  readonly #head: RequestHead;

  constructor(
    head: RequestHead,
    headers: HeaderList,
    place: Pick<RequestFacts, "path" | "query" | "scheme">,
    metadata = new RequestMetadata(),
  ) {
    this.method = head.method;
    this.path = place.path;
    this.query = place.query;
    this.authority = head.authority;
    this.scheme = place.scheme;
    this.metadata = metadata;
    this.#head = head;
    this.#headers = headers;
  }

  header(name: string): string | undefined {
    // Framing is not among the headers, but a policy may ask for the length.
    if (name === "content-length") return lengthOf(this.#head);
    return this.#headers.get(name);
  }

  headerValues(name: string): readonly string[] {
    if (name !== "content-length") return this.#headers.values(name);
    const length = lengthOf(this.#head);
    return length === undefined ? [] : [length];
  }

  /** The same request with another query. */
  withQuery(query: string): HeadFacts {
    const { path, scheme, metadata } = this;
    return new HeadFacts(this.#head, this.#headers, { path, query, scheme }, metadata);
  }
}

function lengthOf({ body }: RequestHead): string | undefined {
  return body.kind === "sized" ? String(body.bytes) : undefined;
}
