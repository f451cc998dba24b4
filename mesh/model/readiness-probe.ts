/** How an application is asked whether it is ready: Istio's form, which is Kubernetes'. */
export interface ReadinessProbe {
  readonly initialDelayMs: number;
  readonly timeoutMs: number;
  readonly periodMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  readonly check:
    | {
        readonly kind: "http";
        readonly path: string;
        readonly port: number;
        readonly host: string;
        readonly scheme: "HTTP" | "HTTPS";
        readonly headers: readonly { readonly name: string; readonly value: string }[];
      }
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "exec"; readonly command: readonly string[] }
    | { readonly kind: "grpc"; readonly port: number; readonly service: string };
}
