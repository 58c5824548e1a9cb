import { assertEquals } from "@std/assert";
import { mirrors } from "../../src/delivery/mirror/mirror.ts";
import { TRASH } from "../../src/methods/removal.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aFailure } from "../support/fake_method.ts";
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
  await rig.becomes("sub/a.fits", "alpha", "delivered");
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

for (const lost of ["publish", "remove"] as const) {
  Deno.test(`takeReplaced() moves the replaced version to the trash also where the connection is lost with ${lost}`, async () => {
    await using rig = await outboxRig({ destination: { deleteDestinationFiles: true } });
    rig.start();
    await rig.admit("a.fits", "alpha");
    await rig.until(() => rig.state("a.fits") === "delivered", "the first version");
    rig.fake.files.set("a.v1.fits", { bytes: new TextEncoder().encode("of somebody else"), mtimeMs: 0, mode: null });
    rig.fake[lost === "publish" ? "after" : "before"] = (step) => {
      if (step === lost && rig.fake.calls[step] === (lost === "publish" ? 2 : 1)) throw aFailure("interrupted");
    };
    await rig.admit("a.fits", "newer alpha");
    await rig.until(() => rig.state("a.fits") === "delivered", "the second version");
    const texts = Object.entries(rig.fake.texts());
    assertEquals(texts.filter(([path]) => !path.startsWith(TRASH)), [["a.fits", "newer alpha"], [
      "a.v1.fits",
      "of somebody else",
    ]]);
    const trash = [...rig.fake.files].filter(([path]) => path.startsWith(TRASH));
    assertEquals(trash.map(([path, { bytes }]) => [path.split("/").at(-1), new TextDecoder().decode(bytes)]), [[
      "a.v2.fits",
      "alpha",
    ]]);
  });
}
