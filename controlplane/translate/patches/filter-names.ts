/** Whether a filter has the name that a patch looks for, be either as filters were named before Envoy 1.14. */
export function isNamed({ name }: { readonly name: string }, wanted: string): boolean {
  return name === wanted || formerName(name) === wanted || name === formerName(wanted);
}

/** `envoy.filters.network.tcp_proxy` was `envoy.tcp_proxy`, those of listeners `envoy.listener.…`. */
function formerName(name: string): string | undefined {
  const { kind, rest } =
    /^envoy\.filters\.(?<kind>network|http|listener)\.(?<rest>.+)$/.exec(name)?.groups ?? {};
  if (rest === undefined) return undefined;
  if (kind === "http" && rest === "ratelimit") return "envoy.rate_limit";
  return kind === "listener" ? `envoy.listener.${rest}` : `envoy.${rest}`;
}
