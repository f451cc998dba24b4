import type { PortRule } from "../model/listener.ts";

export function compilePortRule(rule: PortRule): (port: number) => boolean {
  switch (rule.kind) {
    case "any":
      return () => true;
    case "range":
      return (port) => port >= rule.start && port < rule.end;
    case "not": {
      const test = compilePortRule(rule.rule);
      return (port) => !test(port);
    }
    case "or": {
      const tests = rule.rules.map(compilePortRule);
      return (port) => tests.some((test) => test(port));
    }
    case "and": {
      const tests = rule.rules.map(compilePortRule);
      return (port) => tests.every((test) => test(port));
    }
    default:
      return rule satisfies never;
  }
}
