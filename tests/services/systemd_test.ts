import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { systemd } from "../../src/services/systemd.ts";
import { assertGolden } from "../support/golden.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { aRequest, HOSTILE, template } from "./requests.ts";

const unit = await template(systemd.template);
const text = (changes: Parameters<typeof aRequest>[0] = {}) => systemd.plan(aRequest(changes), unit).files[0]!.text;

Deno.test("systemd.plan() makes the unit of the computer", async () => {
  await assertGolden(new URL("golden/image-transfer.service", import.meta.url), text());
});

Deno.test("systemd.plan() makes the unit of a user", async () => {
  await assertGolden(new URL("golden/user/image-transfer.service", import.meta.url), text({ scope: "user" }));
});

Deno.test("systemd.plan() survives hostile names", async () => {
  const folder = `/data/${HOSTILE}`;
  const changes = {
    description: HOSTILE,
    program: `${folder}/it`,
    config: `${folder}/c.yaml`,
    needs: { writable: [folder], readable: [] },
  };
  await assertGolden(new URL("golden/hostile/image-transfer.service", import.meta.url), text(changes));
});

Deno.test("systemd.plan() hands the daemon the state folder of earlier runs in place of one that the manager makes", () => {
  const formerState = "/home/observer/my state 50%";
  const unit = text({ formerState, stateDirectory: formerState, needs: { writable: [formerState], readable: [] } });
  assertStringIncludes(unit, 'Environment="STATE_DIRECTORY=/home/observer/my state 50%%"\n');
  assertStringIncludes(unit, 'ReadWritePaths="-/home/observer/my state 50%%"\n');
  assertEquals(/^StateDirectory/m.test(unit), false);
});

Deno.test("systemd.plan() writes where each manager looks", () => {
  const path = (scope: "user" | "system") => systemd.plan(aRequest({ scope }), unit).files[0]!.path;
  assertEquals(path("system"), "/etc/systemd/system/image-transfer.service");
  assertEquals(path("user"), "/home/observer/.config/systemd/user/image-transfer.service");
});

Deno.test("systemd.plan() leaves /tmp shared when something in it is needed, and hides home folders when nothing is", () => {
  const inTmp = text({ needs: { writable: ["/tmp/images"], readable: [] } });
  assertStringIncludes(inTmp, "PrivateTmp=no\n");
  assertStringIncludes(inTmp, "ProtectHome=yes\n");
  assertMatch(text(), /PrivateTmp=yes\n/);
});

Deno.test("systemd.nameOf() takes names with and without ending, and nothing else", () => {
  assertEquals(["spring", "spring.service", "a/b", "-x", "", "a b", "a@b"].map(systemd.nameOf), [
    "spring",
    "spring",
    null,
    null,
    null,
    null,
    null,
  ]);
});

Deno.test("systemd.controls() asks the user's own manager for user services", () => {
  const { start, logs } = systemd.controls(aRequest({ scope: "user" }));
  assertEquals(start[0]!.command.args, ["--user", "start", "image-transfer.service"]);
  assertEquals(logs?.(7, true).args, ["--user", "--unit", "image-transfer.service", "--no-pager", "--lines", "7", "--follow"]);
});

for (const scope of ["system", "user"] as const) {
  Deno.test(
    `systemd.plan() makes a ${scope} unit that systemd-analyze verify has nothing against`,
    needs("systemd"),
    async () => {
      await using folder = await tempFolder();
      const file = await folder.write("image-transfer.service", text({ scope, program: "/bin/true", description: HOSTILE }));
      const { code, stderr } = await new Deno.Command("systemd-analyze", {
        args: ["verify", `--${scope}`, "--man=no", "--recursive-errors=no", file],
        env: { XDG_RUNTIME_DIR: folder.path },
      }).output();
      assertEquals({ code, said: new TextDecoder().decode(stderr) }, { code: 0, said: "" });
    },
  );
}
