/** The life of one data plane process. `until` and `deadline` are monotonic milliseconds, `since` is wall clock. */
export type SupervisorState =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting"; readonly attempt: number; readonly pid: number }
  | { readonly kind: "running"; readonly pid: number; readonly since: number }
  | { readonly kind: "draining"; readonly pid: number; readonly deadline: number }
  | {
      readonly kind: "backing-off";
      readonly attempt: number;
      readonly until: number;
      readonly reason: string;
    };

export type SupervisorEvent =
  | { readonly kind: "started"; readonly attempt: number; readonly pid: number }
  | { readonly kind: "ready"; readonly now: number }
  | { readonly kind: "succeeded"; readonly pid: number }
  | { readonly kind: "crashed"; readonly attempt: number; readonly until: number; readonly reason: string }
  | { readonly kind: "drain"; readonly deadline: number }
  | { readonly kind: "stopped" };

/**
 * The one place where a supervisor changes state. An event that means nothing in a state leaves it as it is: processes
 * go when they like, and nobody can be told to drain who is not there.
 */
export function nextState(state: SupervisorState, event: SupervisorEvent): SupervisorState {
  switch (event.kind) {
    case "started":
      return state.kind === "stopped" || state.kind === "backing-off"
        ? { kind: "starting", attempt: event.attempt, pid: event.pid }
        : state;
    case "ready":
      return state.kind === "starting" ? { kind: "running", pid: state.pid, since: event.now } : state;
    case "succeeded":
      return state.kind === "running" ? { ...state, pid: event.pid } : state;
    case "crashed":
      return state.kind === "draining"
        ? { kind: "stopped" }
        : { kind: "backing-off", attempt: event.attempt, until: event.until, reason: event.reason };
    case "drain":
      return state.kind === "starting" || state.kind === "running"
        ? { kind: "draining", pid: state.pid, deadline: event.deadline }
        : state;
    case "stopped":
      return { kind: "stopped" };
    default:
      return event satisfies never;
  }
}
