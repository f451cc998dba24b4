import type { StringMatch } from "../../../mesh/model/match.ts";
import type { HttpMatch } from "../../../mesh/model/virtual-service.ts";

/** True when each call that `later` takes is one that `earlier` takes. False where that is not sure. */
export function covers(earlier: HttpMatch, later: HttpMatch): boolean {
  return (
    earlier.ignoreUriCase === later.ignoreUriCase &&
    takes(earlier.uri, later.uri) &&
    takes(earlier.scheme, later.scheme) &&
    takes(earlier.method, later.method) &&
    takes(earlier.authority, later.authority) &&
    takesEach(earlier.headers, later.headers) &&
    takesEach(earlier.queryParams, later.queryParams) &&
    // What a call must not have: the later one must forbid as much, or more.
    Object.entries(earlier.withoutHeaders).every(
      ([name, match]) => later.withoutHeaders[name] !== undefined && takes(later.withoutHeaders[name], match),
    ) &&
    (earlier.port === undefined || earlier.port === later.port) &&
    (earlier.sourceNamespace === "" || earlier.sourceNamespace === later.sourceNamespace) &&
    Object.entries(earlier.sourceLabels).every(([name, value]) => later.sourceLabels[name] === value) &&
    sameGateways(earlier.gateways, later.gateways)
  );
}

function takes(earlier: StringMatch | undefined, later: StringMatch | undefined): boolean {
  if (earlier === undefined) return true;
  if (later === undefined) return false;
  switch (earlier.kind) {
    case "present":
      return true;
    case "prefix":
      return (later.kind === "prefix" || later.kind === "exact") && later.value.startsWith(earlier.value);
    case "exact":
    case "regex":
      return later.kind === earlier.kind && later.value === earlier.value;
    default:
      return earlier satisfies never;
  }
}

function takesEach(
  earlier: Readonly<Record<string, StringMatch>>,
  later: Readonly<Record<string, StringMatch>>,
): boolean {
  return Object.entries(earlier).every(([name, match]) => takes(match, later[name]));
}

/** None: all of the VirtualService's. */
function sameGateways(earlier: readonly string[], later: readonly string[]): boolean {
  return earlier.length === 0 || (later.length > 0 && later.every((one) => earlier.includes(one)));
}
