import { hostname } from "node:os";
import {
  type Answer,
  type Call,
  forwardedHeaders,
  get,
  type Handler,
  notFound,
  type Peers,
  sendJson,
} from "./http.ts";

const TEXTS = [
  ["Reviewer1", "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!"],
  [
    "Reviewer2",
    "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays.",
  ],
] as const;

/** v1 knows no ratings, v2 shows black stars, v3 red ones. */
const STARS: Readonly<Record<string, { readonly color: string; readonly timeoutMs: number }>> = {
  v2: { color: "black", timeoutMs: 10_000 },
  v3: { color: "red", timeoutMs: 2_500 },
};

/** Reviews of a book, with the stars that ratings has for each reviewer. */
export function reviews(version: string, peers: Peers): Handler {
  const stars = STARS[version];
  return async (call) => {
    const id = /^\/reviews\/(\d+)$/.exec(call.url.pathname)?.[1];
    if (id === undefined) return notFound(call);
    const answer = stars && (await askRatings(call, peers.ratings, id, stars.timeoutMs));
    const byReviewer = answer?.status === 200 ? ratingsIn(answer.body) : undefined;
    sendJson(
      call,
      200,
      {
        id,
        podname: `reviews-${version}`,
        clustername: hostname(),
        reviews: TEXTS.map(([reviewer, text]) => ({
          reviewer,
          text,
          ...(stars && {
            rating: byReviewer
              ? { stars: byReviewer[reviewer] ?? -1, color: stars.color }
              : { error: "Ratings service is currently unavailable" },
          }),
        })),
      },
      answer?.peers,
    );
  };
}

async function askRatings(
  call: Call,
  peer: string,
  id: string,
  timeoutMs: number,
): Promise<Answer | undefined> {
  return get(peer, `/ratings/${id}`, forwardedHeaders(call.request), timeoutMs, call.signal).catch(
    () => undefined,
  );
}

function ratingsIn(body: string): Readonly<Record<string, number>> | undefined {
  const { ratings } = JSON.parse(body) as { ratings?: Record<string, number> };
  return ratings;
}
