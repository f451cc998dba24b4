import { KEY_USAGE, SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { type MintOptions, uriSan } from "./test-certificates.ts";

/** An SVID of this identity is good; everything on this page is an SVID of it but for one thing. */
export const GOOD_ID = "spiffe://example.org/ns/default/sa/reviews";

/** The must-write vectors of certificates that are no SVID (X509-SVID §4 and §5), each with what is to be said of it. */
export const BAD_CERTIFICATES: readonly {
  readonly name: string;
  readonly options: MintOptions;
  readonly reason: RegExp;
}[] = [
  { name: "two URI SANs", options: { sans: [uriSan(GOOD_ID), uriSan(`${GOOD_ID}2`)] }, reason: /2 URI SANs/ },
  {
    name: "the same URI SAN twice",
    options: { sans: [uriSan(GOOD_ID), uriSan(GOOD_ID)] },
    reason: /2 URI SANs/,
  },
  { name: "no SAN but a CN", options: { sans: [], commonName: GOOD_ID }, reason: /no URI SAN/ },
  {
    name: "the ID as a DNS name",
    options: { sans: [{ tag: SAN_DNS, value: GOOD_ID }] },
    reason: /no URI SAN/,
  },
  {
    name: "the ID as an e-mail address",
    options: { sans: [{ tag: 1, value: GOOD_ID }] },
    reason: /no URI SAN/,
  },
  {
    name: "the ID as a registered id",
    options: { sans: [{ tag: 8, value: GOOD_ID }] },
    reason: /no URI SAN/,
  },
  { name: "the ID as an otherName", options: { sans: [{ tag: 0, value: GOOD_ID }] }, reason: /no URI SAN/ },
  { name: "an empty URI", options: { sans: [uriSan("")] }, reason: /no SPIFFE ID/ },
  { name: "CA:TRUE", options: { isCa: true }, reason: /CA certificate/ },
  { name: "no key usage", options: { keyUsage: undefined }, reason: /no key usage/ },
  { name: "an empty key usage", options: { keyUsage: 0 }, reason: /lacks digitalSignature/ },
  {
    name: "keyCertSign",
    options: { keyUsage: KEY_USAGE.digitalSignature | KEY_USAGE.keyCertSign },
    reason: /has keyCertSign/,
  },
  {
    name: "cRLSign",
    options: { keyUsage: KEY_USAGE.digitalSignature | KEY_USAGE.crlSign },
    reason: /has cRLSign/,
  },
  { name: "serverAuth alone", options: { extendedKeyUsage: ["serverAuth"] }, reason: /lacks clientAuth/ },
  { name: "clientAuth alone", options: { extendedKeyUsage: ["clientAuth"] }, reason: /lacks serverAuth/ },
  { name: "an empty extended key usage", options: { extendedKeyUsage: [] }, reason: /lacks serverAuth/ },
  { name: "an extension twice", options: { repeatKeyUsage: true }, reason: /occurs twice/ },
  { name: "version 1", options: { version: 1 }, reason: /not v3/ },
];

/** URIs that are no SPIFFE ID, or not one that Lateen takes (SPIFFE-ID §2). */
export const BAD_URIS: readonly string[] = [
  "SPIFFE://example.org/ns/default/sa/reviews",
  "spiffe://EXAMPLE.org/ns/default/sa/reviews",
  "spiffe://example.org/ns/default/sa/%61",
  "spiffe://example.org/svc/../admin",
  "spiffe://example.org/./admin",
  "spiffe://example.org//ns",
  "spiffe://example.org/ns/default/sa/reviews/",
  "spiffe://example.org:443/ns/default/sa/reviews",
  "spiffe://u@example.org/ns/default/sa/reviews",
  "spiffe://example.org/ns/default/sa/reviews?x",
  "spiffe://example.org/ns/default/sa/reviews#x",
  "spiffe://example.org",
  "spiffe://example.org/",
  "spiffe://example.org/ns/default/sa/reviews\0.evil.org",
  "spiffe://example.org/ns/default/sa/revi\u0435ws",
  `spiffe://example.org/${"a/".repeat(1013)}ab`,
  "https://example.org/ns/default/sa/reviews",
];
