/** FITS files that no one here wrote, judged by astropy, fitsverify and cfitsio. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fits } from "../../src/formats/fits/fits.ts";
import { readCards } from "../../src/formats/fits/cards.ts";
import { verifyFitsChecksums } from "../../src/formats/fits/fits_checksums.ts";
import { gzip } from "../../src/formats/gzip/gzip.ts";
import { needs } from "../support/needs.ts";
import { inspect, over, python, realFiles } from "../support/readers.ts";
import { tempFolder } from "../support/temp.ts";

/** An HDU as astropy sees it: where its header, its data and the next HDU begin; `needed` is the end without padding. */
interface Judged {
  readonly path: string;
  readonly size: number;
  readonly hdus: readonly { readonly end: number; readonly needed: number }[];
}

const never = new AbortController().signal;

Deno.test(
  "fits.inspect() agrees with astropy on every FITS file of its tests, whole and cut anywhere",
  needs("astropy"),
  async () => {
    const files: Judged[] = JSON.parse(await python(JUDGE, ...(await realFiles())));
    assert(files.length > 35, String(files.length));
    for (const judged of files) await agrees(judged);
  },
);

Deno.test("fits.inspect() agrees with astropy on files of every kind that astropy writes", needs("astropy"), async () => {
  await using folder = await tempFolder();
  const files: Judged[] = JSON.parse(await python(JUDGE, ...JSON.parse(await python(WRITE, folder.path))));
  assertEquals(files.length, 9);
  for (const judged of files) await agrees(judged);
});

Deno.test("fits.inspect() knows the length of a real file of 41 MB from a few looks", needs("bigfits", "astropy"), async () => {
  const path = "/usr/share/astrometry/index-tycho2-09.littleendian.fits";
  const [judged] = JSON.parse(await python(JUDGE, path)) as [Judged];
  using file = await Deno.open(path);
  let seen = 0;
  const read = async (offset: number, length: number) => {
    const buffer = new Uint8Array(length);
    await file.seek(offset, Deno.SeekMode.Start);
    const count = await file.read(buffer) ?? 0;
    seen += count;
    return buffer.subarray(0, count);
  };
  assertEquals(await fits.inspect(read, judged.size, never), { verdict: "reached", declaredBytes: judged.hdus.at(-1)!.end });
  assert(seen < 500_000, String(seen));
  const cut = await fits.inspect(read, judged.size - 2881, never);
  assertEquals(cut.verdict, "short");
});

Deno.test("formats know the end of files that fpack and gzip made", needs("astropy", "cfitsio"), async () => {
  await using folder = await tempFolder();
  const image = (JSON.parse(await python(WRITE, folder.path)) as string[]).find((path) => path.endsWith("image.fits"))!;
  await run("fpack", image);
  await run("gzip", "-k", image);
  const [packedFile] = JSON.parse(await python(JUDGE, `${image}.fz`)) as [Judged];
  await agrees(packedFile);
  const zipped = await Deno.readFile(`${image}.gz`);
  assertEquals(await inspect(gzip, zipped), { verdict: "reached", declaredBytes: zipped.length });
  for (const size of cuts(zipped.length)) assertEquals((await inspect(gzip, zipped, size)).verdict, "short", `cut at ${size}`);
  const packed = await Deno.readFile(`${image}.fz`);
  assertEquals((await readCards(over(packed), packed.length)).OBJECT, "O'Brien's nebula");
});

Deno.test(
  "verifyFitsChecksums() agrees with fitsverify on every FITS file of astropy's tests",
  needs("astropy", "fitsverify"),
  async () => {
    const verdicts = { right: 0, wrong: 0 };
    for (const path of await realFiles()) {
      const bytes = await Deno.readFile(path);
      const ours = await verifyFitsChecksums(over(bytes), bytes.length, never);
      const { stdout } = await new Deno.Command("fitsverify", { args: [path] }).output();
      const said = new TextDecoder().decode(stdout);
      if (!said.includes("Error Summary")) continue;
      const theirs = !/(?:checksum|HDU checksum) is not (?:consistent|in agreement)/i.test(said);
      assertEquals(ours.ok, theirs, `${path}: ${JSON.stringify(ours)}\n${said}`);
      verdicts[ours.ok ? "right" : "wrong"]++;
    }
    assert(verdicts.right > 30 && verdicts.wrong >= 3, JSON.stringify(verdicts));
  },
);

Deno.test("verifyFitsChecksums() proves what astropy signed, and finds every flipped bit", needs("astropy"), async () => {
  await using folder = await tempFolder();
  for (const path of JSON.parse(await python(WRITE, folder.path)) as string[]) {
    const bytes = await Deno.readFile(path);
    const whole = await verifyFitsChecksums(over(bytes), bytes.length, never);
    assert(whole.ok && whole.checked >= 2 && whole.checked % 2 === 0, `${path}: ${JSON.stringify(whole)}`);
    for (const at of cuts(bytes.length).filter((at) => at < bytes.length && at > 2880)) {
      const harmed = bytes.slice();
      harmed[at]! ^= 4;
      const verdict = await verifyFitsChecksums(over(harmed), harmed.length, never);
      // A bit of a header can break what says that there is a checksum, never turn a wrong one right.
      if (verdict.ok) assertNotEquals(verdict.checked, whole.checked, `${path} byte ${at}`);
    }
  }
});

async function agrees({ path, size, hdus }: Judged): Promise<void> {
  const bytes = await Deno.readFile(path);
  assertEquals(await inspect(fits, bytes), { verdict: "reached", declaredBytes: hdus.at(-1)!.end }, path);
  assertEquals(hdus.at(-1)!.end, size, path);
  for (const cut of cuts(size)) {
    const complete = hdus.some(({ needed, end }) => cut >= needed && cut <= end);
    const { verdict } = await inspect(fits, bytes, cut);
    assertEquals(verdict, complete ? "reached" : "short", `${path} cut at ${cut} of ${size}`);
  }
}

/** Every border of blocks (at most 200), the bytes around it, and places without pattern. */
function cuts(size: number): number[] {
  const step = 2880 * Math.ceil(size / 2880 / 200);
  const borders = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step);
  const odd = Array.from({ length: 60 }, (_, i) => Math.floor(size * ((i * 0.618034) % 1)));
  return [...borders.flatMap((at) => [at - 1, at, at + 1]), ...odd].filter((at) => at >= 0 && at < size);
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** `needed`: where the data end without padding; where there are none, where END ends. */
const JUDGE = `
import sys, os, json
from astropy.io import fits
out = []
for path in sys.argv[1:]:
    hdus = []
    raw = open(path, "rb").read()
    with fits.open(path, disable_image_compression=True) as file:
        for hdu in file:
            info = hdu.fileinfo()
            data = hdu.size
            end_card = raw.rindex(b"END" + b" " * 77, info["hdrLoc"], info["datLoc"]) + 80
            hdus.append({"end": info["datLoc"] + info["datSpan"], "needed": info["datLoc"] + data if data else end_card})
    out.append({"path": path, "size": os.path.getsize(path), "hdus": hdus})
print(json.dumps(out))
`;

const WRITE = `
import sys, json, numpy as np
from astropy.io import fits
folder = sys.argv[1]
paths = []
def write(name, *hdus):
    path = folder + "/" + name
    fits.HDUList(list(hdus)).writeto(path, checksum=True)
    paths.append(path)
rng = np.random.default_rng(7)
image = rng.integers(0, 60000, (300, 421)).astype(np.uint16)
primary = fits.PrimaryHDU(image)
primary.header["OBJECT"] = "O'Brien's nebula"
primary.header["EXPTIME"] = 1.5
write("image.fits", primary)
write("float.fits", fits.PrimaryHDU(rng.normal(size=(33, 77)).astype(np.float32)))
write("extensions.fits", fits.PrimaryHDU(), *[fits.ImageHDU(rng.integers(0, 99, (n, 40)).astype(np.int32)) for n in range(1, 9)])
write("tiles.fits", fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type="RICE_1"))
write("gzipped_tiles.fits", fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type="GZIP_1"), fits.ImageHDU(image))
heap = np.array([np.arange(n, dtype=np.int32) for n in range(200)], dtype=object)
write("heap.fits", fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("v", "PJ()", array=heap), fits.Column("i", "K", array=np.arange(200))]))
write("ascii.fits", fits.PrimaryHDU(), fits.TableHDU.from_columns([fits.Column("a", "F10.3", array=np.arange(50.0)), fits.Column("s", "A7", array=np.array(["x"] * 50))]))
write("empty_table.fits", fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("i", "K", array=np.arange(0))]))
write("cube.fits", fits.PrimaryHDU(np.zeros((3, 4, 5), dtype=np.uint8)), fits.ImageHDU())
print(json.dumps(paths))
`;
