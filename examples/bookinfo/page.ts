/** What the product page shows. `details` and `reviews` are the services' JSON, undefined when they did not answer. */
export interface Page {
  readonly title: string;
  readonly description: string;
  readonly user: string;
  readonly details: unknown;
  readonly reviews: unknown;
}

interface Review {
  readonly reviewer: string;
  readonly text: string;
  readonly rating?: { readonly stars?: number; readonly color?: string; readonly error?: string };
}

export function renderPage(page: Page): string {
  const session =
    page.user === ""
      ? '<form method="post" action="/login"><input name="username" placeholder="user"><button>Sign in</button></form>'
      : `<p>${escapeHtml(page.user)} · <a href="/logout">Sign out</a></p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(page.title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
.two{display:grid;grid-template-columns:1fr 1fr;gap:2rem}.gone{color:#b00}td{padding-right:1rem}</style>
<header>${session}</header><h1>${escapeHtml(page.title)}</h1><p>${escapeHtml(page.description)}</p>
<div class="two"><section><h2>Details</h2>${renderDetails(page.details)}</section>
<section><h2>Reviews</h2>${renderReviews(page.reviews)}</section></div></html>`;
}

function renderDetails(details: unknown): string {
  if (typeof details !== "object" || details === null)
    return '<p class="gone">Sorry, details are unavailable.</p>';
  const rows = Object.entries(details)
    .filter(([name]) => name !== "id")
    .map(([name, value]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(String(value))}</td></tr>`);
  return `<table>${rows.join("")}</table>`;
}

function renderReviews(answer: unknown): string {
  const found = answer as { readonly podname?: string; readonly reviews?: readonly Review[] } | undefined;
  if (found?.reviews === undefined) return '<p class="gone">Sorry, reviews are unavailable.</p>';
  const quotes = found.reviews.map(
    (review) =>
      `<blockquote>${escapeHtml(review.text)}<br><small>${escapeHtml(review.reviewer)}</small> ${renderStars(review)}</blockquote>`,
  );
  return `${quotes.join("")}<p><small>served by ${escapeHtml(found.podname ?? "?")}</small></p>`;
}

function renderStars({ rating }: Review): string {
  if (rating === undefined) return "";
  if (rating.error !== undefined) return `<span class="gone">${escapeHtml(rating.error)}</span>`;
  const stars = Math.max(0, Math.min(5, rating.stars ?? 0));
  const color = rating.color === "red" ? "#c22" : "#000";
  return `<span style="color:${color}">${"★".repeat(stars)}${"☆".repeat(5 - stars)}</span>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
