/** A job of one group, as Nomad's API has it: a service on the port `http`, and a task with a program. */
export function jobOf({
  group = {},
  service = {},
  task = {},
  job = {},
}: {
  readonly group?: object;
  readonly service?: object;
  readonly task?: object;
  readonly job?: object;
} = {}): { readonly ID: string } & Readonly<Record<string, unknown>> {
  return {
    ID: "web",
    Type: "service",
    TaskGroups: [
      {
        Name: "app",
        Networks: [{ Mode: "bridge", DynamicPorts: [{ Label: "http", To: 8080 }] }],
        Services: [
          { Name: "web", PortLabel: "http", Provider: "nomad", Tags: ["lateen.inject=true"], ...service },
        ],
        Tasks: [{ Name: "web", Driver: "docker", Config: { image: "web" }, ...task }],
        ...group,
      },
    ],
    ...job,
  };
}
