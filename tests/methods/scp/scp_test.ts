import { assertEquals } from "@std/assert";
import { scp } from "../../../src/methods/scp/scp.ts";
import { digestOf, ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { needs } from "../../support/needs.ts";
import { openBench } from "../bench.ts";

const signal = new AbortController().signal;

Deno.test(
  "scp: what still writes into the part of an abandoned attempt does not write into the published file",
  needs("sshd"),
  async () => {
    await using it = await openBench(scp);
    const session = await it.connect();
    const content = noise(3 << 20, 7);
    const file = await it.source("big.fits", content);
    // Its server still has the file open.
    const abandoned = await it.folder.write(`base/${STAGING}/a1/1`, noise(1 << 20, 8));
    using late = await Deno.open(abandoned, { write: true });
    const { staged } = upload(file, 1, "a2");
    await session.put([{ ...upload(file, 1, "a2"), leftover: `${STAGING}/a1/1` }], ignoreBytes, signal);
    assertEquals(await session.publish([publication(staged, "x.fits")], signal), [{ published: true }]);
    await late.seek(1 << 20, Deno.SeekMode.Start);
    await late.write(new Uint8Array(32768));
    assertEquals(await session.digest(["x.fits"], signal), [await digestOf(content)]);
  },
);
