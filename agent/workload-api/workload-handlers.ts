import { type ServerDuplexStream, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { encodeDeltaResponse } from "../../mesh/xds/encode-response.ts";
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type {
  X509BundlesRequest,
  X509BundlesResponse,
  X509SVIDRequest,
  X509SVIDResponse,
} from "../../mesh/xds/gen/spiffe/workload/workload.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { svidSecret, trustBundleSecret } from "../identity/secrets.ts";
import { SecretLane } from "../relay/secret-lane.ts";
import type { CallerView } from "./caller-view.ts";
import { fail, follow, hasHeader, NO_HEADER, REFUSED } from "./endings.ts";
import { type FindSecret, SotwSecrets } from "./sotw-secrets.ts";
import { toBundlesResponse, toSvidResponse } from "./x509-messages.ts";

const WAITING = { code: status.UNAVAILABLE, details: "no valid certificate at the moment" };

/** The Workload API (X.509) for one caller. */
export function workloadApiHandlers(view: CallerView): WorkloadApiHandlers {
  return {
    fetchX509SVID: (call) => {
      if (!hasHeader(call.metadata)) {
        fail(call, NO_HEADER);
        return;
      }
      follow(call, view, () => {
        const answer = view.svids();
        if (answer.kind === "refused") return fail(call, REFUSED);
        if (answer.kind === "waiting") return fail(call, WAITING);
        return {
          state: stateOf(answer.svids, view.bundle()),
          message: () => toSvidResponse(answer.svids, view.bundle()),
        };
      });
    },
    fetchX509Bundles: (call) => {
      if (!hasHeader(call.metadata)) {
        fail(call, NO_HEADER);
        return;
      }
      follow(call, view, () => {
        // Roots are no secret, but whoever has no identity here has no business here either.
        if (view.svids().kind === "refused") return fail(call, REFUSED);
        return { state: stateOf([], view.bundle()), message: () => toBundlesResponse(view.bundle()) };
      });
    },
  };
}

interface WorkloadApiHandlers {
  readonly fetchX509SVID: (call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) => void;
  readonly fetchX509Bundles: (call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) => void;
}

type SecretCall<Q> = ServerDuplexStream<Q, Uint8Array>;

/**
 * SDS for one caller: `default` or its SPIFFE ID is its SVID with the key, `ROOTCA` or the trust domain's ID the roots,
 * as SPIRE names them.
 */
export function secretHandlers(view: CallerView): SecretHandlers {
  const find: FindSecret = (name) => {
    const answer = view.svids();
    if (answer.kind === "refused") return undefined;
    const bundle = view.bundle();
    if (name === TRUST_BUNDLE_SECRET || name === `spiffe://${bundle.trustDomain}`)
      return trustBundleSecret(bundle, name);
    const svids = answer.kind === "held" ? answer.svids : [];
    const svid = name === SVID_SECRET ? svids[0] : svids.find(({ spiffeId }) => spiffeId === name);
    return svid && svidSecret(svid, name);
  };
  return {
    streamSecrets: (call) => {
      const secrets = new SotwSecrets(find);
      const push = (): void => send(call, secrets.next());
      serve(call, view, push, (request) => {
        if (secrets.request(request)) push();
        else fail(call, TOO_MANY);
      });
    },
    deltaSecrets: (call) => {
      const lane = new SecretLane("", { secret: (_, name) => find(name), onChange: () => undefined });
      let nonces = 0;
      const push = (): void => {
        const change = lane.next();
        if (change === undefined) return;
        nonces += 1;
        const nonce = String(nonces);
        send(
          call,
          encodeDeltaResponse(
            { typeUrl: TYPE_URL.secret, nonce, version: nonce },
            change.upserts,
            change.removals,
          ),
        );
        lane.sent(nonce, change);
      };
      serve(call, view, push, (request) => {
        lane.request(request);
        push();
      });
    },
  };
}

interface SecretHandlers {
  readonly streamSecrets: (call: SecretCall<DiscoveryRequest>) => void;
  readonly deltaSecrets: (call: SecretCall<DeltaDiscoveryRequest>) => void;
}

const TOO_MANY = { code: status.INVALID_ARGUMENT, details: "too many names" };

function serve<Q>(call: SecretCall<Q>, view: CallerView, push: () => void, take: (request: Q) => void): void {
  const isRefused = (): boolean => {
    const refused = view.svids().kind === "refused";
    if (refused) fail(call, REFUSED);
    return refused;
  };
  if (isRefused()) return;
  const stop = view.onChange(() => {
    if (!isRefused()) push();
  });
  for (const event of ["cancelled", "close", "error", "end"]) call.on(event, stop);
  call.on("end", () => call.end());
  call.on("data", (request: Q) => {
    try {
      take(request);
    } catch {
      fail(call, TOO_MANY);
    }
  });
}

function stateOf(svids: readonly X509Svid[], { sequence, roots }: TrustBundle): string {
  return [...svids.map(({ serial }) => serial), sequence, roots.length].join();
}

function send<Q>(call: SecretCall<Q>, response: Uint8Array | undefined): void {
  if (response !== undefined && !call.cancelled) call.write(response);
}
