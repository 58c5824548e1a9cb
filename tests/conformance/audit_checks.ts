/** What audits need of a method: hashing that gives way to others, and times that tell whether somebody wrote to a file. */
import { assert, assertEquals } from "@std/assert";
import { type Check, check, ignoreBytes, publication, STAGING, upload } from "./rig.ts";

export const AUDITING: readonly Check[] = [
  check(
    "digest() with calm tells the same, for plain names and others; modifiedAt() tells the time of the file there",
    async (bench) => {
      const { it, open } = await bench.attached();
      const sources = [await bench.source("a.fits", "rotten"), await bench.source("b.fits", "")];
      await open.put(sources.map((source, index) => upload(source, index)), ignoreBytes, bench.signal);
      const names = ["n/it's $HOME.fits", "n/b.fits"];
      await open.publish(names.map((name, index) => publication(`${STAGING}/a1/${index}`, name)), bench.signal);
      const paths = [...names, "n/never"];
      const digests = await open.digest(paths, bench.signal, "calm");
      const plain = ({ bytes, sha256 }: { bytes: number; sha256: string }) => [bytes, sha256];
      assertEquals(
        digests.map((one) => one && plain(one)),
        (await open.digest(paths, bench.signal)).map((one) => one && plain(one)),
      );
      assertEquals([digests[0]?.bytes, digests[1]?.bytes, digests[2]], [6, 0, null]);
      const [told, facts] = [await open.modifiedAt(names[0]!, bench.signal), await it.view.facts(names[0]!)];
      // The fake and some servers tell none: then nothing is overwritten.
      if (told !== null && facts !== null) assert(Math.abs(told - facts.mtimeMs) < 2000, `${told} is not ${facts.mtimeMs}`);
      assertEquals(await open.modifiedAt("n/never", bench.signal), null);
    },
  ),
];
