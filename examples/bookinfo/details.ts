import { type Handler, notFound, sendJson } from "./http.ts";

/** Facts about a book. */
export function details(): Handler {
  return async (call) => {
    const id = /^\/details\/(\d+)$/.exec(call.url.pathname)?.[1];
    if (id === undefined) return notFound(call);
    sendJson(call, 200, {
      id: Number(id),
      author: "William Shakespeare",
      year: 1595,
      type: "paperback",
      pages: 200,
      publisher: "PublisherA",
      language: "English",
      "ISBN-10": "1234567890",
      "ISBN-13": "123-1234567890",
    });
  };
}
