import assert from "node:assert/strict";
import { test } from "node:test";
import { dropInOf } from "./service-places.ts";

const folder = "/etc/lateen.d/services.d";

test("the drop-in of an instance is named for it, and for its namespace where that is not the default one", () => {
  assert.equal(dropInOf({ folder }, "default", "web"), `${folder}/web.yaml`);
  assert.equal(dropInOf({ folder }, "shop", "web"), `${folder}/web@shop.yaml`);
  assert.equal(dropInOf({ folder }, "default", "web.v2-1"), `${folder}/web.v2-1.yaml`);
});

test("no two instances have one drop-in, since neither names have an @", () => {
  const instances = ["default", "a", "b"].flatMap((namespace) =>
    ["a", "b", "a.b", "b.yaml"].map((id) => dropInOf({ folder }, namespace, id)),
  );
  assert.equal(new Set(instances).size, instances.length);
});

for (const [namespace, id] of [
  ["default", "../agent"],
  ["default", "a/b"],
  ["default", ".hidden"],
  ["default", "a@b"],
  ["default", ""],
  ["../..", "web"],
  ["Shop", "web"],
] as const)
  test(`an instance ${JSON.stringify(`${namespace}/${id}`)} has none: nothing outside the directory is named`, () => {
    assert.throws(() => dropInOf({ folder }, namespace, id), {
      code: "cli.usage",
      message: /^name a drop-in: .* is no (id|namespace)/,
    });
  });
