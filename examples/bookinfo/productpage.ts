import {
  type Answer,
  type Call,
  forwardedHeaders,
  get,
  type Handler,
  notFound,
  type Peers,
  sendHtml,
  sendJson,
} from "./http.ts";
import { type Page, renderPage } from "./page.ts";

const PRODUCT = {
  id: 0,
  title: "The Comedy of Errors",
  descriptionHtml:
    "Two pairs of twins, separated by a shipwreck, and one day of mistaken identity in Ephesus.",
};
const TIMEOUT_MS = 3000;

/** The front end: a page, and the JSON behind it. */
export function productpage(_version: string, peers: Peers): Handler {
  return async (call) => {
    const path = call.url.pathname;
    if (path === "/" || path === "/productpage") return showPage(call, peers);
    if (path === "/login" && call.request.method === "POST") return login(call);
    if (path === "/logout") return redirect(call, "user=; Max-Age=0; Path=/");
    if (path === "/api/v1/products") return sendJson(call, 200, [PRODUCT]);
    const api = /^\/api\/v1\/products\/(\d+)(?:\/(reviews|ratings))?$/.exec(path);
    if (api === null) return notFound(call);
    const id = api[1] ?? "0";
    const answer =
      api[2] === "reviews"
        ? await askReviews(call, peers, id)
        : api[2] === "ratings"
          ? await ask(call, peers.ratings, `/ratings/${id}`)
          : await ask(call, peers.details, `/details/${id}`);
    if (answer === undefined)
      return sendJson(call, 503, { error: `${api[2] ?? "details"} is currently unavailable` });
    sendJson(call, answer.status, readJson(answer.body), answer.peers);
  };
}

async function showPage(call: Call, peers: Peers): Promise<void> {
  const [details, reviews] = await Promise.all([
    ask(call, peers.details, "/details/0"),
    askReviews(call, peers, "0"),
  ]);
  const page: Page = {
    title: PRODUCT.title,
    description: PRODUCT.descriptionHtml,
    user: userOf(call),
    details: details?.status === 200 ? readJson(details.body) : undefined,
    reviews: reviews?.status === 200 ? readJson(reviews.body) : undefined,
  };
  sendHtml(call, 200, renderPage(page));
}

/**
 * Reviews are tried twice with three seconds each: Istio's sample has this bug on purpose, so that a delay of seven
 * seconds in ratings, which reviews itself would bear, shows as an error on the page after six.
 */
async function askReviews(call: Call, peers: Peers, id: string): Promise<Answer | undefined> {
  return (
    (await ask(call, peers.reviews, `/reviews/${id}`)) ?? (await ask(call, peers.reviews, `/reviews/${id}`))
  );
}

/** Undefined when the service could not be reached in time. */
async function ask(call: Call, peer: string, path: string): Promise<Answer | undefined> {
  const headers = forwardedHeaders(call.request);
  const user = userOf(call);
  if (user !== "") headers["end-user"] = user;
  return get(peer, path, headers, TIMEOUT_MS, call.signal).catch(() => undefined);
}

function userOf(call: Call): string {
  const user = /(?:^|;\s*)user=([^;]+)/.exec(call.request.headers.cookie ?? "")?.[1] ?? "";
  return /^[\w.-]{1,64}$/.test(user) ? user : "";
}

async function login(call: Call): Promise<void> {
  let body = "";
  call.request.setEncoding("utf8");
  for await (const chunk of call.request as AsyncIterable<string>) {
    body += chunk;
    if (body.length > 4096) return sendJson(call, 413, { error: "the body is too long" });
  }
  const user = new URLSearchParams(body).get("username") ?? "";
  if (!/^[\w.-]{1,64}$/.test(user))
    return sendJson(call, 400, { error: "username: letters, digits, dot and dash" });
  redirect(call, `user=${user}; HttpOnly; SameSite=Lax; Path=/`);
}

function redirect(call: Call, cookie: string): void {
  call.response.writeHead(302, { location: "/productpage", "set-cookie": cookie });
  call.response.end();
}

function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return { text: body };
  }
}
