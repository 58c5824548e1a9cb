import { assertEquals } from "@std/assert";
import { withoutName } from "../../../src/domain/names/without_name.ts";

for (
  const [message, path, rest] of [
    ['Cannot send "a/b.fits": HDU 2 is damaged: "x": y', "/data/a/b.fits", 'HDU 2 is damaged: "x": y'],
    ['Cannot send "a/b.fits": HDU 2 is damaged', "a/b.fits", "HDU 2 is damaged"],
    ['Cannot send "a\\b.fits": damaged', "C:\\data/a/b.fits", "damaged"],
    ['Cannot read "a.fits": Permission denied', "/d/a.fits", "cannot read it: Permission denied"],
    ['Cannot list "sub": Permission denied', "/d/sub", "cannot list it: Permission denied"],
    ['Cannot send "x\\n.fits": damaged', "/d/x\n.fits", "damaged"],
    ['Cannot send "other.fits": damaged', "/d/a.fits", 'Cannot send "other.fits": damaged'],
    ['Cannot send "": damaged', "/d/a.fits", 'Cannot send "": damaged'],
    ["Cannot reach nas: away", "/d/a.fits", "Cannot reach nas: away"],
    ["it is not finished", "/d/a.fits", "it is not finished"],
  ] as const
) {
  Deno.test(`withoutName() of ${JSON.stringify(message)} for ${JSON.stringify(path)}`, () => {
    assertEquals(withoutName(message, path), rest);
  });
}
