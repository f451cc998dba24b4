import type { RequestFacts } from "../../proxy/tables/facts.ts";
import { RequestMetadata } from "../../proxy/tables/metadata.ts";

interface Sample {
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  /** A repeated header is an array. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** The facts of a request, from what a test is about. */
export function sampleRequest({
  method = "GET",
  target = "/",
  authority = "server",
  headers = {},
}: Sample = {}): RequestFacts {
  const mark = target.indexOf("?");
  const all = new Map(Object.entries(headers).map(([name, value]) => [name, [value].flat()]));
  return {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark),
    authority,
    scheme: "http",
    metadata: new RequestMetadata(),
    header: (name) => all.get(name)?.join(","),
    headerValues: (name) => all.get(name) ?? [],
  };
}
