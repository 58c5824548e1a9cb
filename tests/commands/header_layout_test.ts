import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dataToNas } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";

const bench = (changes: Record<string, unknown>) => dataToNas({ file_patterns: ["*.fits", "*.xisf"], ...changes });

const card = (keyword: string, value: string) => `${keyword.padEnd(8)}= ${value}`;

/** An XISF file without pixels. */
function xisf(inside: string): Uint8Array<ArrayBuffer> {
  const xml = new TextEncoder().encode(`<xisf version="1.0"><Image geometry="0:0:1">${inside}</Image></xisf>`);
  const file = new Uint8Array(16 + xml.length);
  file.set(new TextEncoder().encode("XISF0100"));
  new DataView(file.buffer).setUint32(8, xml.length, true);
  file.set(xml, 16);
  return file;
}

/** Paths below a folder. */
function tree(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(`${folder}/${below}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? tree(folder, `${below}${name}/`) : [below + name]
  ).sort();
}

Deno.test("a layout with header cards sorts FITS and XISF files, and --dry-run shows where", async () => {
  const { folder, program } = await bench({ layout: "{header.OBJECT|unknown}/{header.SEED|none}/{header.FILTER|none}/{name}" });
  await using _folder = folder;
  await folder.write("data/a.fits", fitsFile(3000, 7, [card("OBJECT", "'NGC 7000/x'"), card("FILTER", "'R'")]));
  await folder.write("data/b.fits", fitsFile(3000, 8));
  await folder.write("data/c.xisf", xisf(`<FITSKeyword name="OBJECT" value="'M 31'" comment=""/>`));
  const wanted = ["NGC 7000_x/7/R/a.fits", "unknown/8/none/b.fits", "M 31/none/none/c.xisf"];
  const { stdout } = await program.command(["run", "--dry-run"]);
  for (const path of wanted) assertStringIncludes(stdout, `${folder.at("nas")}/${path}`);
  assertEquals((await program.command(["run", "--once"])).code, 0);
  assertEquals(tree(folder.at("nas")), wanted.toSorted());
});

Deno.test("a file without a card that the layout needs is listed with the reason, goes to the other destination, and is sent once there is a default", async () => {
  const sorted = { name: "sorted", layout: "{header.OBJECT}/{name}" };
  const { folder, program } = await bench({ delete_source: true });
  await using _folder = folder;
  const destinations = [
    { ...sorted, remote_base_path: folder.at("nas") },
    { name: "plain", remote_base_path: folder.at("copy") },
  ];
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  const write = (list: unknown) => Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, destinations: list }));
  await write(destinations);
  await folder.write("data/a.fits", fitsFile(3000));
  const { stderr: shown } = await program.command(["run", "--dry-run"]);
  assertStringIncludes(shown, '"a.fits" would not be sent: it has no header card OBJECT, which the layout needs');
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals(code, 1);
  assertMatch(stderr, /Not delivered: .*a\.fits.* no header card OBJECT/);
  assertEquals(tree(folder.at("copy")), ["a.fits"]);
  assertEquals(tree(folder.at("data")), ["a.fits"], "the source stays until all destinations have it");
  await using daemon = await program.start();
  const listed = async (): Promise<string> => (await program.command(["status"])).stdout;
  for (let turn = 0; turn < 600 && !(await listed()).includes("OBJECT"); turn++) {
    await new Promise((done) => setTimeout(done, 50));
  }
  assertMatch(await listed(), /a\.fits\s+it has no header card OBJECT[^]*\{header\.OBJECT\|unknown\}/);
  await write([{ ...destinations[0], layout: "{header.OBJECT|unknown}/{name}" }, destinations[1]]);
  await program.until((rows) => rows.length === 2 && rows.every(({ state }) => state === "delivered"));
  assertEquals(tree(folder.at("nas")), ["unknown/a.fits"]);
  for (let turn = 0; turn < 600 && tree(folder.at("data")).length > 0; turn++) await new Promise((done) => setTimeout(done, 50));
  assert(tree(folder.at("data")).length === 0);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a misspelt placeholder is a configuration error with the nearest known one", async () => {
  const { folder, program } = await bench({ layout: "{headr.OBJECT|x}/{name}" });
  await using _folder = folder;
  const { code, stderr } = await program.command(["config", "validate"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, '"layout" is invalid: {headr.OBJECT|x} is unknown; did you mean {header.OBJECT|x}?');
});
