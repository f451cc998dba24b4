import type { Answer, Ask, PolicyCase, Row } from "./case.ts";

const DENY_SECRET = 'action: DENY, rules: [{ to: [{ operation: { paths: ["/private/secret"] } }] }]';
const DENY_SHOP = "action: DENY, rules: [{ to: [{ operation: { hosts: [shop.example] } }] }]";
const DENY_ADMIN = 'action: DENY, rules: [{ when: [{ key: "request.headers[x-role]", values: [admin] }] }]';
const DENY_GET = "action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }]";

/** The simulator is told what a request asks for, not how it is written. */
const written = (ask: Ask, answer: Answer, told: Answer, envoy: Answer = answer): Row => [
  ask,
  answer,
  { simulator: told, Envoy: envoy },
];

/** Requests by which somebody would get past a DENY: what is not refused by the policy is refused for its form. */
export const TRICK_CASES: readonly PolicyCase[] = [
  {
    name: "a path that is denied, in other forms of a target",
    authorization: [DENY_SECRET],
    rows: [
      written({ path: "http://server/private/secret" }, 403, 404),
      written({ path: "http://server//private/./secret?x" }, 403, 404),
      written({ path: "HTTP://server/private/secret" }, 403, 404),
      [{ path: "/private/secret", method: "OPTIONS" }, 403],
      [{ path: "/private/secret", headers: [["x-http-method-override", "PUT"]] }, 403],
      [{ path: "/private/secret", headers: [["x-original-url", "/public"]] }, 403],
      [{ path: "/private/secret", headers: [["x-rewrite-url", "/public"]] }, 403],
      [{ path: "/private/secret", headers: [["x-envoy-original-path", "/public"]] }, 403],
      written({ path: "/private/secret", headers: [[":path", "/public"]] }, 400, 403),
      written({ path: "/private\t/secret" }, 400, 200),
      written({ path: "/private/sec ret" }, 400, 200),
    ],
  },
  {
    name: "a host that is denied, beside another one",
    authorization: [DENY_SHOP],
    rows: [
      written({ path: "http://shop.example/a", host: "shop.example" }, 403, 403),
      written({ path: "http://shop.example/a", host: "other" }, 400, 404, 403),
      [{ host: "shop.example", headers: [["x-forwarded-host", "other"]] }, 403],
      [{ host: "shop.example", headers: [["x-envoy-original-host", "other"]] }, 403],
      // Envoy makes one host of two, which is neither: the application is asked for that one.
      written({ host: "shop.example", headers: [["host", "other"]] }, 400, 403, 200),
      written({ host: "other", headers: [["host", "shop.example"]] }, 400, 200, 200),
      [{ host: "SHOP.EXAMPLE" }, 403],
    ],
  },
  {
    name: "a header that is denied, in other spellings",
    authorization: [DENY_ADMIN],
    rows: [
      [{ headers: [["x-role", "\tadmin\t"]] }, 403],
      [
        {
          headers: [
            ["X-ROLE", "admin"],
            ["x-role", "user"],
          ],
        },
        403,
      ],
      [
        {
          headers: [
            ["x-role", "user"],
            ["X-Role", "admin"],
          ],
        },
        403,
      ],
      written({ headers: [["x-role", "user\r\n admin"]] }, 400, 200, 200),
      written({ headers: [["x-role ", "admin"]] }, 400, 200),
      [
        {
          headers: [
            ["x-role", "admin"],
            ["connection", "close, x-role"],
          ],
        },
        200,
      ],
    ],
  },
  {
    name: "a method that is denied, in other spellings",
    authorization: [DENY_GET],
    rows: [
      [{ method: "GET" }, 403],
      written({ method: "get" }, 400, 200),
      [
        {
          method: "POST",
          headers: [
            ["x-http-method-override", "GET"],
            ["content-length", "0"],
          ],
        },
        200,
      ],
    ],
  },
];
