import { assertEquals } from "@std/assert";
import { mirrors } from "../../src/delivery/mirror/mirror.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { outboxRig } from "./outbox_rig.ts";

Deno.test("accept() counts also while a pass looks whether the disk is mounted", async () => {
  let looking = () => Promise.resolve();
  const real = createSystem();
  await using rig = await outboxRig({
    destination: { deleteDestinationFiles: true, keepDeletedMs: 0 },
    system: {
      followedFacts: async (path) => {
        if (path.endsWith("sub")) await looking();
        return await real.followedFacts(path);
      },
    },
  });
  const { ledger, tools: { emit, system }, folder, job } = rig;
  await rig.admit("sub/a.fits", "alpha");
  rig.start();
  await rig.until(() => rig.state("sub/a.fits") === "delivered", "delivered");
  await Deno.remove(folder.at("data/sub/a.fits"));
  const mirror = mirrors(job, [rig.outbox], {
    ...{ ledger, emit, everywhere: () => job.destinations },
    system: { ...createSystem(), ...system },
  });
  const settled = async () => {
    let over = false;
    void mirror.settle(new AbortController().signal).then(() => over = true);
    await rig.until(() => over, "two passes");
  };
  await settled();
  assertEquals(ledger.mirrorOf(job.name, "nas")?.held?.files, 1, "nothing else is left there, so it asks");
  const answers: boolean[] = [];
  looking = () => {
    if (answers.length === 0) answers.push(mirror.accept("nas"));
    return Promise.resolve();
  };
  await settled();
  assertEquals([answers, ledger.mirrorOf(job.name, "nas")?.held, rig.state("sub/a.fits")], [[true], null, "failed"]);
});
