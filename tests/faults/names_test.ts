/**
 * Names that want to be options, commands or line ends: carried under exactly their name, nothing executed; a name that
 * cannot be carried is refused and listed.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { finalNames } from "../support/observer.ts";
import { each, everyDelivered, makeRig, namesIn, tool } from "./rig.ts";

const NAMES = [
  "-rf.fits",
  "--delete.fits",
  "$(touch executed).fits",
  "`touch executed`.fits",
  "; touch executed;.fits",
  "|| touch executed #.fits",
  "line\nend.fits",
  "\nbegins.fits",
  "\rbegins.fits",
  "\u2028begins.fits",
  "\u2029begins.fits",
  "\nfolder/\u2028folder/a\u2029b.fits",
  "tab\tand\rreturn.fits",
  "'single' \"double\".fits",
  " leading and trailing .fits",
  "back\\slash\\n.fits",
  "st*r ? [a-z] {b,c} ~ !.fits",
  "host:path %s %n.fits",
  "Ünïcödé 望遠鏡 🔭.fits",
  `${"x".repeat(250)}.fits`,
  "-folder; touch executed/$(id)/-rf.fits",
  "\u001b[31mred.fits",
];

each(
  ["local", "rsync", "tar", "scp", "sftp"],
  "hostile names: delivered under the same name, nothing is executed, names that are no UTF-8 are listed",
  async (method) => {
    await using rig = await makeRig({ method });
    for (const name of NAMES) await rig.expose(name, 20_000);
    await tool("sh", "-c", 'cp "$1/-rf.fits" "$1/$(printf "bad\\377name.fits")"', "sh", rig.watched);
    const { code, stderr } = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
    assertEquals(code, 1, stderr);
    assertMatch(stderr, /Not delivered: .*bad.*name\.fits.*UTF-8/);
    const rows = await rig.installation.history();
    assert(everyDelivered(NAMES.length)(rows), stderr);
    assertEquals((await Array.fromAsync(finalNames(rig.there))).sort(), [...NAMES].sort());
    await rig.allIsWell(rows);
    for (const folder of [rig.folder.path, rig.watched, rig.there, Deno.cwd()]) {
      assert(!(await namesIn(folder)).includes("executed"), folder);
    }
    const log = await Deno.readTextFile(rig.installation.logFile);
    assert(!/\p{Cc}/u.test(log.replaceAll("\n", "")), "a control character reached the log as it is");
  },
);
