import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type {
  JWTBundlesRequest,
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
} from "../../mesh/xds/gen/spiffe/workload/workload.ts";
import type { CallerView } from "./caller-view.ts";
import { fail, follow, hasHeader, NO_HEADER, REFUSED, type StatusOnTheWire } from "./endings.ts";

type Answer<S> = (error: StatusOnTheWire | null, response?: S) => void;

interface JwtHandlers {
  readonly fetchJWTSVID: (
    call: ServerUnaryCall<JWTSVIDRequest, JWTSVIDResponse>,
    answer: sendUnaryData<JWTSVIDResponse>,
  ) => void;
  readonly fetchJWTBundles: (call: ServerWritableStream<JWTBundlesRequest, JWTBundlesResponse>) => void;
  readonly validateJWTSVID: (
    call: ServerUnaryCall<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>,
    answer: sendUnaryData<ValidateJWTSVIDResponse>,
  ) => void;
}

const MOST_AUDIENCES = 16;
const LONGEST_AUDIENCE = 512;

const BAD_AUDIENCE = {
  code: status.INVALID_ARGUMENT,
  details: `audience must be 1 to ${MOST_AUDIENCES} texts of 1 to ${LONGEST_AUDIENCE} characters`,
};

/** The JWT profile of the Workload API (SPIFFE Workload API §6.2) for one caller. */
export function jwtHandlers(view: CallerView): JwtHandlers {
  return {
    fetchJWTSVID: (call, answer) => void tokensFor(call, answer, view),
    fetchJWTBundles: (call) => {
      if (!hasHeader(call.metadata)) {
        fail(call, NO_HEADER);
        return;
      }
      follow(call, view, () => {
        if (view.identities().length === 0) return fail(call, REFUSED);
        const { trustDomain, jwtKeys } = view.bundle();
        return {
          state: jwtKeys,
          message: () => ({ bundles: { [`spiffe://${trustDomain}`]: Buffer.from(jwtKeys) } }),
        };
      });
    },
    validateJWTSVID: (call, answer) => {
      if (!hasHeader(call.metadata)) return answer(NO_HEADER);
      if (view.identities().length === 0) return answer(REFUSED);
      const { audience, svid } = call.request;
      if (audience === "") return answer(BAD_AUDIENCE);
      const verdict = view.validate(svid, audience);
      if (!verdict.ok)
        return answer({
          code: status.INVALID_ARGUMENT,
          details: `the token is not valid: ${verdict.reason}`,
        });
      const { spiffeId, claims } = verdict;
      return answer(null, { spiffeId, claims: { ...claims } });
    },
  };
}

/** Of the identity that is named, or of each that the caller may have. */
async function tokensFor(
  { metadata, request }: ServerUnaryCall<JWTSVIDRequest, JWTSVIDResponse>,
  answer: Answer<JWTSVIDResponse>,
  view: CallerView,
): Promise<void> {
  if (!hasHeader(metadata)) return answer(NO_HEADER);
  const { audience, spiffeId: wanted } = request;
  const isFit = (one: string): boolean => one !== "" && one.length <= LONGEST_AUDIENCE;
  if (audience.length === 0 || audience.length > MOST_AUDIENCES || !audience.every(isFit))
    return answer(BAD_AUDIENCE);
  const identities = view.identities().filter((one) => wanted === "" || one === wanted);
  if (identities.length === 0) return answer(REFUSED);
  const one = async (spiffeId: SpiffeId): Promise<JWTSVIDResponse["svids"][number]> => ({
    spiffeId,
    svid: await view.token(spiffeId, audience),
    hint: "",
  });
  try {
    const svids = await Promise.all(identities.map(one));
    // What was the caller's when it asked may be so no more.
    const still = new Set(view.identities());
    if (!identities.every((identity) => still.has(identity))) return answer(REFUSED);
    return answer(null, { svids });
  } catch (error) {
    if (MeshError.from(error).code === "ca.refused") return answer(REFUSED);
    return answer({ code: status.UNAVAILABLE, details: "no token at the moment" });
  }
}
