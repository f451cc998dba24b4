import assert from "node:assert/strict";
import { test } from "node:test";
import { workloadName } from "./workload-name.ts";

const cases = [
  { name: "an ID of its own is the name", id: "reviews-1", want: /^reviews-1$/ },
  { name: "an ID that is only the service's name gets the node", id: "reviews", want: /^reviews-node-1$/ },
  {
    name: "Nomad's IDs fit",
    id: "_nomad-task-1f2e-group-web-http",
    want: /^_nomad-task-1f2e-group-web-http$/,
  },
  { name: "other characters become dashes with a hash", id: "web/1:80", want: /^web-1-80-[0-9a-f]{8}$/ },
  {
    name: "an ID of nothing but such characters has a name too",
    id: "///",
    want: /^--?[0-9a-f]{8}$|^service-[0-9a-f]{8}$/,
  },
];

for (const { name, id, want } of cases) {
  test(name, () => assert.match(workloadName(id, "reviews", "node-1"), want));
}

test("different IDs never become one name", () => {
  assert.notEqual(workloadName("web/1", "web", "n"), workloadName("web:1", "web", "n"));
});
