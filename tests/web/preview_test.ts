import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import type { PathFacts } from "../../src/system/system.ts";
import type { HeaderReport } from "../../src/web/api/preview_routes.ts";
import { previews } from "../../src/web/api/previews.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";
import { webRig } from "./web_rig.ts";

const PNG = [0x89, 0x50, 0x4e, 0x47];

Deno.test("/api/preview and /api/cards show a delivered image, also when the source is gone", async () => {
  await using rig = await webRig({ delete_source: true });
  await rig.folder.write("data/m31.fits", fitsFile(500_000, 1, ["OBJECT  = 'M31'               / what it is"]));
  await rig.until(() => rig.events.some(({ type }) => type === "removed_source"), "removed at the source");
  const picture = await rig.get("/api/preview/1.png");
  assertEquals([picture.status, picture.headers.get("content-type")], [200, "image/png"]);
  const bytes = new Uint8Array(await picture.arrayBuffer());
  assertEquals([...bytes.subarray(0, 4)], PNG);
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(16), view.getUint32(20)], [480, 58]);
  const gone = await rig.json<HeaderReport>("/api/cards/1");
  assertEquals([gone.hdus.length, gone.kept["OBJECT"], gone.problem], [0, "M31", "The file is no longer at its source."]);
});

Deno.test("/api/cards gives the header as it stands in the file", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/m31.fits", fitsFile(30_000, 1, ["OBJECT  = 'M31'               / what it is"]));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const { hdus, kept } = await rig.json<HeaderReport>("/api/cards/1");
  assertEquals(kept["OBJECT"], "M31");
  assertEquals(hdus[0]?.cards.find(({ keyword }) => keyword === "OBJECT"), {
    keyword: "OBJECT",
    value: "M31",
    comment: "what it is",
  });
});

Deno.test("/api/preview and /api/cards look into gzip", async () => {
  await using rig = await webRig();
  const image = fitsFile(500_000, 1, ["OBJECT  = 'M31'               / what it is"]);
  await rig.folder.write("data/m31.fits.gz", new Uint8Array(gzipSync(image)));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const picture = await rig.get("/api/preview/1.png");
  assertEquals(picture.status, 200);
  assertEquals([...new Uint8Array(await picture.arrayBuffer(), 0, 4)], PNG);
  const { hdus, kept } = await rig.json<HeaderReport>("/api/cards/1");
  assertEquals([kept["OBJECT"], hdus.length, hdus[0]?.data], ["M31", 1, "1440 × 174, 16 bit"]);
});

Deno.test("/api/preview says why there is none", async () => {
  await using rig = await webRig({ file_patterns: ["*"] });
  await rig.folder.write("data/notes.txt", "not an image");
  await rig.folder.write("data/text.fits", "neither is this");
  await rig.until(() => rig.daemon.ledger.counts().delivered === 2, "delivered");
  for (const id of [1, 2, 77]) {
    const answer = await rig.get(`/api/preview/${id}.png`);
    assertEquals(answer.status, 404);
    await answer.body?.cancel();
  }
});

Deno.test("/api/preview has three sizes, and refuses every other one", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/m31.fits", fitsFile(5_000_000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const widths = [];
  for (const side of [256, 512, 2048]) {
    const picture = await rig.get(`/api/preview/1.png?side=${side}`);
    widths.push(new DataView(await picture.arrayBuffer()).getUint32(16));
  }
  assert(widths[0]! <= 256 && widths[0]! < widths[1]! && widths[1]! <= 512 && widths[1]! < widths[2]!, `${widths}`);
  for (const side of ["100000", "-1", "1e3", "256;"]) {
    const refused = await rig.get(`/api/preview/1.png?side=${side}`);
    assertEquals([side, refused.status], [side, 400]);
    await refused.body?.cancel();
  }
});

Deno.test("previews() rest between two pictures as long as the last one took", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const path = await folder.write("a.fits", fitsFile(30_000));
  await Deno.utime(path, 0, 0.005);
  const { size } = await Deno.stat(path);
  const facts = {
    kind: "file",
    size,
    mtimeMs: 5,
    ctimeMs: 5,
    mode: 0o644,
    bornMs: 0,
    links: 1,
    identity: "",
    device: "",
  } as const;
  const end = new AbortController();
  const rests: number[] = [];
  let clock = 0;
  const preview = previews({
    facts: () => Promise.resolve(facts),
    // Each look at the clock is a tenth of a second later.
    monotonic: () => clock += 100,
    sleep: (ms, signal) => {
      if (ms < 20_000) rests.push(ms);
      return ms < 20_000 ? Promise.resolve() : system.sleep(ms, signal);
    },
  }, end.signal);
  const source = { job: "a", path: "a.fits", absolutePath: path, size, mtimeMs: 5, ctimeMs: 0, identity: "" };
  for (const side of [256, 512]) assert("png" in await preview({ source, target: "a.fits", destination: null, side }));
  end.abort();
  assertEquals(rests, [100, 100]);
});

Deno.test("previews() are made once, wait for each other, and are refused beyond a hundred", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const known = new Map<string, PathFacts>();
  const end = new AbortController();
  const preview = previews({ ...system, facts: (path) => Promise.resolve(known.get(path) ?? null) }, end.signal);
  const wish = async (name: string) => {
    const path = await folder.write(name, fitsFile(30_000));
    await Deno.utime(path, 0, 0.005);
    const { size } = await Deno.stat(path);
    known.set(path, { kind: "file", size, mtimeMs: 5, ctimeMs: 5, mode: 0o644, bornMs: 0, links: 1, identity: "", device: "" });
    const source = { job: "a", path: name, absolutePath: path, size, mtimeMs: 5, ctimeMs: 0, identity: "" };
    return { source, target: name, destination: null, side: 512 };
  };
  const [one, ...others] = await Promise.all(Array.from({ length: 130 }, (_, i) => wish(`${i}.fits`)));
  const [first, same] = await Promise.all([preview(one!), preview(one!)]);
  assert("png" in first && "png" in same);
  const again = await preview(one!);
  assert("png" in again && again.png === first.png);
  const results = await Promise.all(others.map(preview));
  assertEquals([results.filter((result) => "png" in result).length, results.filter((result) => "busy" in result).length], [
    100,
    29,
  ]);
  end.abort();
  const late = await preview({ ...one!, source: { ...one!.source, job: "b" } });
  assert("problem" in late);
  assertStringIncludes(late.problem, "stopping");
});
