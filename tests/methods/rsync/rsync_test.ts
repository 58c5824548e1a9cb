import { assert, assertEquals } from "@std/assert";
import { rsync } from "../../../src/methods/rsync/rsync.ts";
import { ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { needs } from "../../support/needs.ts";
import { openBench } from "../bench.ts";

const signal = new AbortController().signal;

Deno.test(
  "rsync: a file resumed from the hidden part of a killed rsync has the mode of any other",
  needs("sshd", "rsync"),
  async () => {
    await using it = await openBench(rsync);
    const session = await it.connect({ preservePermissions: false });
    const content = noise(3 << 20);
    const file = await it.source("big.fits", content);
    const hidden = await it.folder.write(`base/${STAGING}/a1/.1.abcdef`, content.subarray(0, 1 << 20));
    await Deno.chmod(hidden, 0o600);
    const uploads = [{ ...upload(file, 1, "a2"), leftover: `${STAGING}/a1/1` }, upload(file, 2, "a2")];
    assert((await session.put(uploads, ignoreBytes, signal)).every(({ put }) => put));
    await session.publish(uploads.map(({ staged }, index) => publication(staged, `${index}.fits`)), signal);
    const modes = await Promise.all([0, 1].map(async (index) => (await Deno.stat(it.folder.at("base", `${index}.fits`))).mode));
    assertEquals(modes[0], modes[1]);
  },
);
