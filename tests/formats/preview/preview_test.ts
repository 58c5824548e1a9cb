import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { crc32, gzipSync, inflateSync } from "node:zlib";
import { firstImage, unrice } from "../../../src/formats/fits/fits_image.ts";
import { readHeaderCards } from "../../../src/formats/fits/cards.ts";
import { blocksOf, fitsPreview, greyPng, rowsOfBlock } from "../../../src/formats/preview/preview.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { needs } from "../../support/needs.ts";
import { counting, over, python, realFiles } from "../../support/readers.ts";
import { tempFolder } from "../../support/temp.ts";

/** What astropy sees of the first image of a file. */
interface Judged {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** Row number and its values; null for NaN. */
  readonly rows: readonly (readonly [number, readonly (number | null)[]])[];
  readonly tolerance: number;
  /** Where astropy itself counts in single precision. */
  readonly relative: number;
}

async function agrees({ path, width, height, rows, tolerance, relative }: Judged): Promise<void> {
  const bytes = await Deno.readFile(path);
  const image = await firstImage(over(bytes), bytes.length);
  assert(image, path);
  assertEquals([path, image.width, image.height], [path, width, height]);
  for (const [y, expected] of rows) {
    const values = await image.row(y);
    for (const [x, value] of expected.entries()) {
      const ours = values[x]!;
      if (value === null) assert(!Number.isFinite(ours), `${path} ${x},${y}: ${ours}`);
      else assertAlmostEquals(ours, value, tolerance + Math.abs(value) * relative, `${path} ${x},${y}`);
    }
  }
  const preview = await fitsPreview(over(bytes), bytes.length, 64);
  assert(
    preview && preview.width <= 64 && preview.height <= 64 && preview.pixels.length === preview.width * preview.height,
    path,
  );
}

Deno.test(
  "firstImage() has the values of astropy for every BITPIX, scale, blank, cube, extension and compression",
  needs("astropy"),
  async () => {
    await using folder = await tempFolder();
    const files = JSON.parse(await python(WRITE + JUDGE, folder.path)) as Judged[];
    assert(files.length >= 20, String(files.length));
    for (const judged of files) await agrees(judged);
  },
);

Deno.test(
  "firstImage() has the values of astropy in the real files of its tests, and finds no image where there is none",
  needs("astropy"),
  async () => {
    const paths = await realFiles();
    const files = JSON.parse(await python(REAL + JUDGE, JSON.stringify(paths))) as Judged[];
    assert(files.length > 10, String(files.length));
    for (const judged of files) await agrees(judged);
    for (const path of paths) {
      const bytes = await Deno.readFile(path);
      await fitsPreview(over(bytes), bytes.length, 64);
    }
  },
);

Deno.test("firstImage() reads what fpack packs", needs("astropy", "cfitsio"), async () => {
  await using folder = await tempFolder();
  const path = await folder.write("a.fits", fitsFile(400_000));
  for (const [option, name] of [["-r", "rice"], ["-g1", "gzip1"], ["-g2", "gzip2"]]) {
    const { success } = await new Deno.Command("fpack", { args: [option!, "-O", folder.at(`${name}.fz`), path] }).output();
    assert(success, name);
  }
  const plain = await Deno.readFile(path);
  const image = await firstImage(over(plain), plain.length);
  for (const name of ["rice", "gzip1", "gzip2"]) {
    const packed = await Deno.readFile(folder.at(`${name}.fz`));
    const unpacked = await firstImage(over(packed), packed.length);
    for (const y of [0, 7, image!.height - 1]) assertEquals([name, await unpacked!.row(y)], [name, await image!.row(y)]);
  }
});

Deno.test("blocksOf() averages the rows of a block over its whole width, without what is no number", async () => {
  const image = {
    width: 5,
    height: 4,
    bitpix: 8,
    row: (y: number) => Promise.resolve(Float64Array.of(y, y, NaN, 10 + y, Infinity)),
  };
  const { width, height, values, step } = await blocksOf(image, 3);
  assertEquals([width, height, step], [3, 2, 2]);
  assertEquals([...values], [0.5, 10.5, NaN, 2.5, 12.5, NaN]);
  assertEquals(rowsOfBlock(0, 20, 50).length, 3);
  assertEquals(rowsOfBlock(2, 20, 45), [40, 42, 44]);
});

Deno.test("fitsPreview() shows the first row of the file at the bottom, the sky dark and stars bright", async () => {
  const bytes = fitsFile(2 * 1440 * 100);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 1440 * 100; i++) view.setInt16(2880 + 2 * i, 1000 + i % 7);
  for (let x = 0; x < 40; x++) for (let y = 0; y < 20; y++) view.setInt16(2880 + 2 * (y * 1440 + x), 30_000);
  const preview = await fitsPreview(over(bytes), bytes.length, 72);
  assert(preview);
  assertEquals([preview.width, preview.height], [72, 5]);
  const grey = (x: number, y: number) => preview.pixels[y * preview.width + x]!;
  assertEquals(grey(0, 4), 255);
  assert(grey(0, 0) < 60 && grey(60, 4) < 60, String([grey(0, 0), grey(60, 4)]));
});

Deno.test("fitsPreview() looks at a part of a big frame only", async () => {
  const bytes = fitsFile(20_000_000);
  const { read, count } = counting(bytes);
  await fitsPreview(read, bytes.length, 512);
  assert(count.bytes < bytes.length / 2, String(count.bytes));
});

Deno.test("greyPng() writes what a reader of PNG gives back", () => {
  const pixels = Uint8Array.from({ length: 7 * 3 }, (_, i) => i * 37);
  const png = greyPng({ width: 7, height: 3, pixels });
  assertEquals([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(png.buffer);
  const chunks: [string, Uint8Array][] = [];
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    const body = png.subarray(at + 4, at + 8 + length);
    assertEquals(view.getUint32(at + 8 + length), crc32(body));
    chunks.push([new TextDecoder().decode(body.subarray(0, 4)), body.subarray(4)]);
    at += 12 + length;
  }
  assertEquals(chunks.map(([kind]) => kind), ["IHDR", "IDAT", "IEND"]);
  const lines = inflateSync(chunks[1]![1]);
  const back: number[] = [];
  for (let y = 0; y < 3; y++) {
    assertEquals(lines[y * 8], 1);
    for (let x = 0, left = 0; x < 7; x++) back.push(left = (left + lines[y * 8 + 1 + x]!) & 0xff);
  }
  assertEquals(back, [...pixels]);
});

Deno.test("hostile images end in an error or in nothing, soon and without much memory", async () => {
  const cards = (...lines: string[]) => {
    const text = [...lines, "END"].map((line) => line.padEnd(80)).join("");
    return new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 2880) * 2880));
  };
  const value = (keyword: string, number: number | string) => `${keyword.padEnd(8)}= ${String(number).padStart(20)}`;
  const huge = cards(
    "SIMPLE  =                    T",
    value("BITPIX", 8),
    value("NAXIS", 2),
    value("NAXIS1", 900_000),
    value("NAXIS2", 900_000),
  );
  assertEquals(await fitsPreview(over(huge), huge.length, 64), null);
  const table = [
    "XTENSION= 'BINTABLE'",
    value("BITPIX", 8),
    value("NAXIS", 2),
    value("NAXIS1", 8),
    value("NAXIS2", 2),
    value("PCOUNT", 100),
    value("GCOUNT", 1),
    value("TFIELDS", 1),
    "TTYPE1  = 'COMPRESSED_DATA'",
    "TFORM1  = '1PB'",
    "ZIMAGE  =                    T",
    value("ZBITPIX", 16),
    value("ZNAXIS", 2),
    value("ZNAXIS1", 1000),
    value("ZNAXIS2", 2),
  ];
  const primary = cards("SIMPLE  =                    T", value("BITPIX", 8), value("NAXIS", 0));
  for (const how of ["RICE_1", "GZIP_1", "HCOMPRESS_1"]) {
    const data = new Uint8Array(2880).fill(0x41);
    const view = new DataView(data.buffer);
    for (let row = 0; row < 2; row++) {
      view.setUint32(row * 8, 50);
      view.setUint32(row * 8 + 4, 10);
    }
    const file = new Uint8Array([...primary, ...cards(...table, `ZCMPTYPE= '${how}'`), ...data]);
    if (how === "HCOMPRESS_1") assertEquals(await fitsPreview(over(file), file.length, 64), null);
    else await assertRejects(() => fitsPreview(over(file), file.length, 64), Error);
  }
  // A few kB that claim a row of tiles of 7 GB.
  const wide = table.map((card) => card.replace(/^(ZNAXIS[12]) .*/, (_, keyword) => value(keyword, 30_000)));
  const tiles = [value("ZTILE1", 1_000), value("ZTILE2", 30_000), "ZCMPTYPE= 'RICE_1'"];
  const file = new Uint8Array([...primary, ...cards(...wide, ...tiles), ...new Uint8Array(2880)]);
  assertEquals(await firstImage(over(file), file.length), null);
  await assertRejects(
    async () => await Promise.resolve().then(() => unrice(new Uint8Array(3), 4, 32, new Float64Array(9))),
    RangeError,
  );
});

Deno.test("readHeaderCards() gives values as written, comments, and what the data are", async () => {
  const file = fitsFile(3000, 1, [
    "EXPTIME =                1.500 / [s] time",
    "OBJECT  = 'M 31 / it''s'      / name",
    "COMMENT  free text",
  ]);
  const [primary] = await readHeaderCards(over(file), file.length);
  assert(primary);
  const zipped = gzipSync(file);
  assertEquals(await readHeaderCards(over(zipped), zipped.length), [primary]);
  assertEquals([primary.name, primary.data], ["primary", "1440 × 1, 16 bit"]);
  assertEquals(primary.cards.filter(({ keyword }) => ["EXPTIME", "OBJECT", "COMMENT"].includes(keyword)), [
    { keyword: "EXPTIME", value: "1.500", comment: "[s] time" },
    { keyword: "OBJECT", value: "M 31 / it's", comment: "name" },
    { keyword: "COMMENT", value: "", comment: "free text" },
  ]);
});

const WRITE = `
import sys, os, json, numpy as np
from astropy.io import fits
folder = sys.argv[1]
rng = np.random.default_rng(1)
W, H = 130, 97
sky = rng.normal(1000, 30, (H, W)); sky[40:44, 60:64] += 20000
files = []
def keep(name, hdus, tolerance=0.0):
    path = os.path.join(folder, name + '.fits')
    fits.HDUList(hdus).writeto(path)
    files.append((path, tolerance))
def primary(data): return fits.PrimaryHDU(data)
for kind in ['uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'float32', 'float64']:
    data = (sky / 100 if kind == 'uint8' else sky).astype(kind)
    keep('plain-' + kind, [primary(data)])
nan = sky.astype('float32'); nan[3, 5] = np.nan; nan[0, :] = np.inf
keep('nan', [primary(nan)])
scaled = primary(sky.astype('int16')); scaled.header['BSCALE'] = 0.25; scaled.header['BZERO'] = -7.5; scaled.header['BLANK'] = int(sky.astype('int16')[10, 10])
keep('scaled', [scaled])
byte = primary((sky / 100).astype('uint8')); byte.header['BZERO'] = -128; byte.header['BLANK'] = 10
keep('signed-bytes', [byte])
keep('cube', [primary(np.stack([sky, sky * 2, sky * 3]).astype('int16'))])
keep('extension', [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column('a', 'J', array=[1, 2])]), fits.ImageHDU(sky.astype('float32'))])
for how in ['RICE_1', 'GZIP_1', 'GZIP_2']:
    for kind in ['uint8', 'int16', 'uint16', 'int32']:
        data = (sky / 100 if kind == 'uint8' else sky).astype(kind)
        keep('packed-%s-%s' % (how, kind), [fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type=how)])
    keep('packed-%s-tiles' % how, [fits.PrimaryHDU(), fits.CompImageHDU(sky.astype('int16'), compression_type=how, tile_size=(50, 40))])
    step = 30.0 / 4
    keep('packed-%s-float' % how, [fits.PrimaryHDU(), fits.CompImageHDU(sky.astype('float32'), compression_type=how, quantize_level=4)], step)
    keep('packed-%s-float-plain' % how, [fits.PrimaryHDU(), fits.CompImageHDU(sky.astype('float32'), compression_type=how, quantize_level=4, quantize_method=-1)], 1e-3)
keep('packed-lossless-float', [fits.PrimaryHDU(), fits.CompImageHDU(sky.astype('float32'), compression_type='GZIP_1', quantize_level=0)])
`;

const REAL = `
import sys, json, numpy as np
from astropy.io import fits
files = [(path, 0.0) for path in json.loads(sys.argv[1])]
`;

/** The first image as our rules find it, by astropy's own numbers. */
const JUDGE = `
out = []
for path, tolerance in files:
    try:
        with fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                if isinstance(hdu, (fits.GroupsHDU,)) or not getattr(hdu, 'is_image', False): continue
                # Not loaded unless it is an image that can be shown.
                shape = hdu.shape
                if len(shape) < 2 or shape[-1] < 2 or shape[-2] < 2 or 0 in shape: continue
                if isinstance(hdu, fits.CompImageHDU) and hdu._header.get('ZCMPTYPE', 'RICE_1') not in ('RICE_1', 'RICE_ONE', 'GZIP_1', 'GZIP_2'): break
                relative = 2e-7 if hdu.data.dtype.itemsize == 4 and hdu.data.dtype.kind == 'f' else 1e-12
                data = np.asarray(hdu.data, dtype='float64')
                while data.ndim > 2: data = data[0]
                rows = [[int(y), [float(v) if np.isfinite(v) else None for v in data[y]]] for y in sorted({0, 3, 10, 41, data.shape[0] - 1}) if y < data.shape[0]]
                out.append(dict(path=path, width=data.shape[1], height=data.shape[0], rows=rows, tolerance=tolerance, relative=relative))
                break
    except Exception as error:
        print(path, repr(error), file=sys.stderr)
print(json.dumps(out))
`;
