import { accessTokenRoutes } from "./access-token-routes.ts";
import { auditRoutes } from "./audit-routes.ts";
import { authzRoutes } from "./authz-routes.ts";
import { caRoutes } from "./ca-routes.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import { explainRoutes } from "./explain-routes.ts";
import { objectRoutes } from "./object-routes.ts";
import { observedRoutes } from "./observed-routes.ts";
import { proxyRoutes } from "./proxy-routes.ts";
import type { AdminRoute } from "./route.ts";
import { tokenRoutes } from "./token-routes.ts";
import { whatIfRoutes } from "./what-if-routes.ts";

/** All there is, each with what its caller must be permitted. Fastify's routes are made from this table and nothing else. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  ...objectRoutes,
  ...proxyRoutes,
  ...whatIfRoutes,
  ...explainRoutes,
  ...authzRoutes,
  ...observedRoutes,
  ...tokenRoutes,
  ...accessTokenRoutes,
  ...auditRoutes,
  ...caRoutes,
  ...catalogRoutes,
];
