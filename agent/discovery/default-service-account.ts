/** The service account of a service that says none: its name, if that can stand in an identity. */
export function defaultServiceAccount(service: string): string | undefined {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(service) ? service : undefined;
}
