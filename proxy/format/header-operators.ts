import type { HeaderList } from "../tables/header-list.ts";
import type { HttpRecord } from "../telemetry/records.ts";
import type { Extractor, Value } from "./operators.ts";

type Reader = (record: HttpRecord) => Value;

/** Envoy's `REQ(X?Y)`, `RESP(X?Y)` and `TRAILER(X?Y)`: the header X, or where it is not there Y. */
export function headerOperator(name: string, argument: string | undefined): Extractor | undefined {
  const readerOf = READERS[name];
  if (readerOf === undefined || !argument) return undefined;
  const [main = "", other, ...rest] = argument.toLowerCase().split("?");
  if (main === "" || other === "" || rest.length > 0) return undefined;
  const first = readerOf(main);
  const second = other === undefined ? undefined : readerOf(other);
  return (record) => {
    if (record.kind !== "http") return undefined;
    return first(record) ?? second?.(record);
  };
}

const READERS: Readonly<Record<string, (header: string) => Reader>> = {
  REQ: requestReader,
  REQ_WITHOUT_QUERY: (header) => {
    const read = requestReader(header);
    return (record) => String(read(record) ?? "").split("?")[0] || undefined;
  },
  RESP: (header) => {
    if (header === ":status") return ({ status }) => (status === 0 ? undefined : String(status));
    return ({ responseHeaders }) => first(responseHeaders, header);
  },
  TRAILER:
    (header) =>
    ({ trailers }) =>
      first(trailers, header),
};

function requestReader(header: string): Reader {
  switch (header) {
    case ":method":
      return ({ method }) => method || undefined;
    case ":path":
      return ({ target }) => target || undefined;
    case ":authority":
    case "host":
      return ({ calledAuthority }) => calledAuthority || undefined;
    case ":scheme":
      return ({ requestHeaders, ends }) =>
        requestHeaders.get("x-forwarded-proto") ?? (ends.secure ? "https" : "http");
    default:
      return ({ requestHeaders }) => first(requestHeaders, header);
  }
}

/** Of a header that is there more than once the first counts (Envoy). */
function first(headers: HeaderList | undefined, name: string): string | undefined {
  return headers?.first(name);
}
