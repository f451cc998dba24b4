import type { RequestFacts } from "../../proxy/tables/facts.ts";

interface Sample {
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The facts of a request, from what a test is about. */
export function sampleRequest({
  method = "GET",
  target = "/",
  authority = "server",
  headers = {},
}: Sample = {}): RequestFacts {
  const mark = target.indexOf("?");
  const all = new Map(Object.entries(headers));
  return {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark),
    authority,
    scheme: "http",
    header: (name) => all.get(name),
  };
}
