import type { Rbac, RbacRule } from "../model/rbac.ts";
import type { ConnectionFacts, RequestFacts } from "./facts.ts";
import { compileCidr, compileEachHeader, compileString } from "./matchers.ts";

/** What a policy decides on. Without a request (TCP) everything that asks for one is false. */
interface RbacSubject {
  readonly connection: ConnectionFacts;
  readonly request: RequestFacts | undefined;
}

type RbacVerdict =
  | { readonly allowed: true }
  /** `policy` is the one that matched a DENY; `none` when no ALLOW policy matched. */
  | { readonly allowed: false; readonly policy: string };

export type RbacFilter = (subject: RbacSubject) => RbacVerdict;

type Test = (subject: RbacSubject) => boolean;

const ALLOWED: RbacVerdict = { allowed: true };

export function compileRbac(rbac: Rbac): RbacFilter {
  const policies = rbac.policies.map(({ name, permissions, principals }) => ({
    name,
    permission: anyOf(permissions),
    principal: anyOf(principals),
  }));
  const matching = (subject: RbacSubject): string | undefined =>
    policies.find(({ permission, principal }) => permission(subject) && principal(subject))?.name;
  switch (rbac.action) {
    case "ALLOW":
      return (subject) => (matching(subject) === undefined ? { allowed: false, policy: "none" } : ALLOWED);
    case "DENY":
      return (subject) => {
        const policy = matching(subject);
        return policy === undefined ? ALLOWED : { allowed: false, policy };
      };
    case "LOG":
      return () => ALLOWED;
    default:
      return rbac.action satisfies never;
  }
}

function anyOf(rules: readonly RbacRule[]): Test {
  const tests = rules.map(compileRule);
  return (subject) => tests.some((test) => test(subject));
}

function compileRule(rule: RbacRule): Test {
  switch (rule.kind) {
    case "any":
      return () => true;
    case "or":
      return anyOf(rule.rules);
    case "and": {
      const tests = rule.rules.map(compileRule);
      return (subject) => tests.every((test) => test(subject));
    }
    case "not": {
      const test = compileRule(rule.rule);
      return (subject) => !test(subject);
    }
    case "header": {
      const test = compileEachHeader(rule.header);
      return ({ request }) => request !== undefined && test(request);
    }
    case "path": {
      const test = compileString(rule.match);
      return ({ request }) => request !== undefined && test(request.path);
    }
    case "destination-port":
      return ({ connection }) => connection.localPort >= rule.start && connection.localPort < rule.end;
    case "destination-ip": {
      const test = compileCidr(rule.cidr);
      return ({ connection }) => test(connection.localAddress);
    }
    // Nothing here believes x-forwarded-for (use_remote_address is refused), so both are the socket's other end.
    case "direct-remote-ip":
    case "remote-ip": {
      const test = compileCidr(rule.cidr);
      return ({ connection }) => test(connection.remoteAddress);
    }
    case "server-name": {
      const test = compileString(rule.match);
      return ({ connection }) => test(connection.serverName);
    }
    case "authenticated": {
      const test = rule.match && compileString(rule.match);
      return ({ connection }) =>
        connection.peer !== undefined && (test === undefined || test(connection.peer));
    }
    default:
      return rule satisfies never;
  }
}
