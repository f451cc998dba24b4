import {
  type ParseDocumentsOptions,
  type ParseDocumentsResult,
  parseDocuments,
} from "../mesh/model/parse-documents.ts";
import { messageTypes } from "./message-types.ts";
import { checkEnvoyFilter } from "./translate/patches/check-envoy-filter.ts";

/** Reads API objects with all that can be said about each: by its schema, and of patches by Envoy's message types. */
export function parseConfig(text: string, options: ParseDocumentsOptions): ParseDocumentsResult {
  return parseDocuments(text, { ...options, check: (object) => checkEnvoyFilter(messageTypes, object) });
}
