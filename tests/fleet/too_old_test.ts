/** PocketBase before 0.32 lets an account find by filters what it may not read: it is named as too old, and not used. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { checkPocketbase } from "../../src/commands/checks/check_here.ts";
import { Failure } from "../../src/domain/failure.ts";
import { addAccount } from "../../src/fleet/accounts.ts";
import { DAEMONS, JOBS } from "../../src/fleet/collections.ts";
import { identify } from "../../src/fleet/accounts.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has, OLD_POCKETBASE } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";

const never = new AbortController().signal;

for (
  const { what, program, ignore } of [
    { what: "an account finds no job of another computer by filters", program: "pocketbase", ignore: !has("pocketbase") },
    { what: "a server that gives jobs away by filters is refused", program: OLD_POCKETBASE, ignore: !has("oldPocketbase") },
  ]
) {
  Deno.test(what, { ignore }, async () => {
    const isOld = program === OLD_POCKETBASE;
    await using folder = await tempFolder();
    await using process = await startPocketbase(folder.at("data"), { program });
    const system = createSystem();
    const settings = (email: string, password: string) => pocketbaseSettings(process.url, email, password);
    const rootSettings = settings(ROOT.email, ROOT.password);
    const root = pocketbaseServer(rootSettings, system);
    const made = setUp(root, never);
    if (isOld) assertEquals((await assertRejects(() => made, Failure)).message, refusal(process.url));
    else await made;
    const [autumn, spring] = [await addAccount("autumn", root, system, never), await addAccount("spring", root, system, never)];
    const springSettings = settings(spring.admin_email, spring.admin_password);
    const server = pocketbaseServer(springSettings, system);
    const { id } = await pocketbaseServer(settings(autumn.admin_email, autumn.admin_password), system).account(never);
    const body = { daemon: id, name: "guider", enabled: true, settings: { watch_path: "/secret" } };
    await root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body }, never);

    const filter = `id = "${id}" && ${JOBS}_via_daemon.settings ~ "/secret"`;
    assertEquals((await server.all(DAEMONS, { filter }, never)).length, isOld ? 1 : 0);
    const checks = [rootSettings, springSettings].map(async (pocketbase) =>
      await checkPocketbase({ pocketbase, file: null }, system, never)
    );
    for (const [finding] of await Promise.all(checks)) {
      assertEquals(finding?.level, isOld ? "fault" : "ok");
      assertMatch(finding!.what, isOld ? /it is not PocketBase 0\.32 or later/ : /connected/);
    }
    const known = identify(server, springSettings, { ...system, hostname: "spring" }, never);
    if (isOld) assertEquals((await assertRejects(() => known, Failure)).message, refusal(process.url));
    else assertEquals((await known).name, "spring");
  });
}

function refusal(url: string): string {
  return `Cannot use ${url}: it is not PocketBase 0.32 or later`;
}
