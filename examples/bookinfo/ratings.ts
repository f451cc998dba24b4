import type { IncomingMessage } from "node:http";
import { type Handler, notFound, sendJson } from "./http.ts";

const FIRST_RATINGS: Readonly<Record<string, number>> = { Reviewer1: 5, Reviewer2: 4 };
const LONGEST_BODY = 65_536;

/** Stars by reviewer. Versions `v-faulty` and `v-delayed` misbehave half of the time, as in Istio's sample. */
export function ratings(version: string): Handler {
  const stored = new Map<number, Readonly<Record<string, number>>>();
  return async (call) => {
    const id = /^\/ratings\/(\d+)$/.exec(call.url.pathname)?.[1];
    if (id === undefined) return notFound(call);
    const unlucky = Math.random() < 0.5;
    if (version === "v-faulty" && unlucky) return sendJson(call, 503, { error: "Service unavailable" });
    if (version === "v-delayed" && unlucky) await new Promise((resolve) => setTimeout(resolve, 7000));
    if (call.request.method === "POST") {
      const posted = parseRatings(await readBody(call.request));
      if (posted === undefined)
        return sendJson(call, 400, { error: "please provide ratings as JSON: {name: 1..5}" });
      stored.set(Number(id), posted);
    }
    sendJson(call, 200, { id: Number(id), ratings: stored.get(Number(id)) ?? FIRST_RATINGS });
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = "";
  request.setEncoding("utf8");
  for await (const chunk of request as AsyncIterable<string>) {
    body += chunk;
    if (body.length > LONGEST_BODY) throw new Error("the body is too long");
  }
  return body;
}

function parseRatings(body: string): Readonly<Record<string, number>> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const entries = Object.entries(parsed);
  const valid = entries.every(([, stars]) => Number.isInteger(stars) && stars >= 1 && stars <= 5);
  return valid ? Object.fromEntries(entries) : undefined;
}
