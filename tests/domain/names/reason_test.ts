import { assertEquals, assertRejects } from "@std/assert";
import { reasonOf, withoutName } from "../../../src/domain/names/reason.ts";

Deno.test("reasonOf() says what the system says, without number, call and path", async () => {
  const missing = await assertRejects(() => Deno.open("/nowhere/a (os error).fits"));
  assertEquals(reasonOf(missing).includes("os error"), false);
  const watched = 'Permission denied (os error 13) about ["/data/closed"]';
  assertEquals(reasonOf(new Error(watched)), "Permission denied");
  assertEquals(reasonOf(new Error("Zugriff verweigert. (os error 5): open 'C:\\a'")), "Zugriff verweigert");
});

Deno.test("reasonOf() leaves every other message as it is", () => {
  assertEquals([reasonOf(new Error("no answer")), reasonOf("text")], ["no answer", "text"]);
});

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
