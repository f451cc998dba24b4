/** The side that calls, as far as routing depends on it. */
export interface Client {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}
