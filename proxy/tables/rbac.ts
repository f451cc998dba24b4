import { isIP } from "node:net";
import type { Rbac, RbacFilter, RbacRule } from "../model/rbac.ts";
import type { ConnectionFacts, RequestFacts } from "./facts.ts";
import { compileCidr, compileEachHeader, compileString } from "./matchers.ts";
import { compileMetadata } from "./metadata.ts";

/** What a policy decides on. Without a request (TCP) everything that asks for one is false. */
interface RbacSubject {
  readonly connection: ConnectionFacts;
  readonly request: RequestFacts | undefined;
}

export interface RbacVerdict {
  readonly action: Rbac["action"];
  readonly allowed: boolean;
  readonly matched: boolean;
  /** The policy that matched; `none` when none did. */
  readonly policy: string;
}

/** What each set of policies says; undefined where there is none. */
interface RbacVerdicts {
  readonly enforced: RbacVerdict | undefined;
  readonly shadow: RbacVerdict | undefined;
}

export type RbacJudge = (subject: RbacSubject) => RbacVerdicts;

type Test = (subject: RbacSubject) => boolean;

export function compileRbac({ enforced, shadow }: RbacFilter): RbacJudge {
  const enforce = enforced && compilePolicies(enforced);
  const imagine = shadow && compilePolicies(shadow);
  return (subject) => ({ enforced: enforce?.(subject), shadow: imagine?.(subject) });
}

function compilePolicies(rbac: Rbac): (subject: RbacSubject) => RbacVerdict {
  const policies = rbac.policies.map(({ name, permissions, principals }) => ({
    name,
    permission: anyOf(permissions),
    principal: anyOf(principals),
  }));
  const { action } = rbac;
  return (subject) => {
    const matched = policies.find(({ permission, principal }) => permission(subject) && principal(subject));
    const allowed = action === "LOG" || (matched === undefined) === (action === "DENY");
    return { action, allowed, matched: matched !== undefined, policy: matched?.name ?? "none" };
  };
}

/**
 * Whom the proxy before this one has spoken with: the last in x-forwarded-for (use_remote_address, with which only the
 * connection would be believed, is refused).
 */
function forwardedAddress(request: RequestFacts): string | undefined {
  const last = request.header("x-forwarded-for")?.split(",").at(-1)?.trim();
  return last !== undefined && isIP(last) !== 0 ? last : undefined;
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
    case "metadata": {
      const test = compileMetadata(rule.metadata);
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
    case "direct-remote-ip": {
      const test = compileCidr(rule.cidr);
      return ({ connection }) => test(connection.remoteAddress);
    }
    case "remote-ip": {
      const test = compileCidr(rule.cidr);
      return ({ connection, request }) =>
        test((request && forwardedAddress(request)) ?? connection.remoteAddress);
    }
    case "server-name": {
      const test = compileString(rule.match);
      return ({ connection }) => test(connection.serverName);
    }
    case "authenticated": {
      const test = rule.match && compileString(rule.match);
      return ({ connection }) =>
        connection.peer !== undefined && (test === undefined || connection.peer.some(test));
    }
    default:
      return rule satisfies never;
  }
}
