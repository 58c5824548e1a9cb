/**
 * Cameras that write in every way they do: slowly, with pauses, into space set aside, under another name first, through
 * a memory map, and once more after they seemed to be done. Only whole versions are ever shown.
 */
import { assertEquals } from "@std/assert";
import type { DeliveryJson } from "../../src/reports/delivery/delivery_json.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { python } from "../support/readers.ts";
import { mountStallingDisk } from "../support/stalled_write.ts";
import { until } from "../support/until.ts";
import { everyDelivered, makeRig } from "./rig.ts";

/** Gets the finished content on a path of its own, and where to write it. Every pause is far longer than the quiet time. */
const WRITERS: Readonly<Record<string, string>> = {
  "slow.fits": `
with open(to, "wb", buffering=0) as f:
    for n in range(4): f.write(data[n * part:(n + 1) * part]); time.sleep(0.7)
`,
  "reopened.fits": `
for n in range(4):
    with open(to, "ab", buffering=0) as f: f.write(data[n * part:(n + 1) * part])
    time.sleep(0.7)
`,
  "preallocated.fits": `
with open(to, "wb", buffering=0) as f:
    os.posix_fallocate(f.fileno(), 0, len(data))
    f.write(data[:2880]); time.sleep(1.2)
    for n in range(4): f.seek(n * part); f.write(data[n * part:(n + 1) * part]); time.sleep(0.5)
`,
  "renamed.fits": `
with open(to + ".part", "wb", buffering=0) as f:
    f.write(data[:part]); time.sleep(0.7); f.write(data[part:])
os.rename(to + ".part", to)
`,
  "mapped.fits": `
with open(to, "w+b", buffering=0) as f:
    f.truncate(len(data)); m = mmap.mmap(f.fileno(), len(data))
for n in range(4): m[n * part:(n + 1) * part] = data[n * part:(n + 1) * part]; time.sleep(0.6)
m.flush(); m.close()
`,
  "backwards.fits": `
with open(to, "w+b", buffering=0) as f:
    f.truncate(len(data))
    for n in (3, 2, 1, 0): f.seek(n * part); f.write(data[n * part:(n + 1) * part]); time.sleep(0.5)
`,
};

Deno.test(
  "FITS written slowly, reopened, preallocated, renamed, mapped, backwards: shown only when whole",
  needs("astropy"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { min_file_age_seconds: 0.2, rescan_interval: 1 } });
    await using daemon = await rig.installation.start();
    const program = (body: string) =>
      `import mmap, os, sys, time\ndata = open(sys.argv[1], "rb").read(); to = sys.argv[2]; part = -(-len(data) // 4)\n${body}`;
    await Promise.all(
      Object.entries(WRITERS).map(async ([name, body], index) => {
        const content = fitsFile(400_000, 9000 + index);
        await rig.expect(name, content);
        await python(program(body), await rig.folder.write(`content/${name}`, content), `${rig.watched}/${name}`);
      }),
    );
    await rig.endsWell(daemon, Object.keys(WRITERS).length);
  },
);

Deno.test(
  "a finished file is rewritten in place by one long write() that stalls: no mixture of both versions is ever shown",
  needs("fuse", "root"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { min_file_age_seconds: 0.2 } });
    await using daemon = await rig.installation.start();
    // Longer than a file is racy: it is read again meanwhile.
    await using disk = await mountStallingDisk(rig.folder.at("second"), rig.folder.at("stalling"), 1.5);
    const rewritten = await Promise.all([0, 5, 10, 20, 50, 100, 200].map(async (pause) => {
      const name = `${pause}.fits`;
      const [first, second] = [fitsFile(4_000_000, 9200 + pause), fitsFile(4_000_000, 9500 + pause)];
      await rig.expect(name, first);
      const hash = await rig.expect(name, second);
      await rig.folder.write(`second/${name}`, second);
      await disk.writeTwice(`${rig.watched}/${name}`, await rig.folder.write(`first/${name}`, first), name, pause);
      return hash;
    }));
    const isThere = (hash: string) => (row: DeliveryJson) => row.state === "delivered" && row.sha256 === hash;
    const rows = await rig.installation.until((rows) =>
      rewritten.every((hash) => rows.some(isThere(hash))) && everyDelivered(rewritten.length)(rows)
    );
    await rig.endsWell(daemon, rows);
  },
);

Deno.test(
  "a further HDU appended after the file was delivered: a new version, the former is kept",
  needs("astropy"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { min_file_age_seconds: 0.2 } });
    await using daemon = await rig.installation.start();
    await rig.expose("a.fits");
    await rig.installation.until(everyDelivered(1));
    const copy = await rig.folder.write("content/a.fits", await Deno.readFile(`${rig.watched}/a.fits`));
    await python(
      `import sys\nfrom astropy.io import fits\nimport numpy\nfits.append(sys.argv[1], numpy.arange(90000, dtype="int16").reshape(300, 300))`,
      copy,
    );
    const whole = await Deno.readFile(copy);
    await rig.expect("a.fits", whole);
    {
      using file = await Deno.open(`${rig.watched}/a.fits`, { append: true });
      const added = whole.subarray((await Deno.stat(`${rig.watched}/a.fits`)).size);
      await file.write(added.subarray(0, 4000));
      await new Promise((resolve) => setTimeout(resolve, 600));
      await file.write(added.subarray(4000));
    }
    await rig.endsWell(daemon, 2);
  },
);

Deno.test("a FITS file that never gets its last bytes is listed as incomplete, never sent, and delivered when they come", async () => {
  await using rig = await makeRig({
    method: "local",
    config: { min_file_age_seconds: 0.2, incomplete_after: 1, debounce_ms: 100 },
  });
  const content = fitsFile(300_000, 9100);
  await rig.expect("cut.fits", content);
  await Deno.writeFile(`${rig.watched}/cut.fits`, content.subarray(0, 200_000));
  await using daemon = await rig.installation.start();
  await rig.installation.untilLog(/Incomplete, not sent: .*cut\.fits/);
  assertEquals(await rig.installation.history(), []);
  await Deno.writeFile(`${rig.watched}/cut.fits`, content.subarray(200_000), { append: true });
  await rig.endsWell(daemon, 1);
});

Deno.test("ten writers that rename, move folders and write again at once: every last version arrives", async () => {
  await using rig = await makeRig({ method: "local", config: { min_file_age_seconds: 0.2, on_conflict: "overwrite" } });
  await using daemon = await rig.installation.start();
  await Promise.all(Array.from({ length: 10 }, async (_, writer) => {
    for (let turn = 0; turn < 4; turn++) await rig.expose(`w${writer}/${turn % 2}.fits`, 60_000 + turn * 6_000);
    await Deno.rename(`${rig.watched}/w${writer}`, `${rig.watched}/moved${writer}`);
    for (const name of ["0.fits", "1.fits"]) {
      await rig.expect(`moved${writer}/${name}`, await Deno.readFile(`${rig.watched}/moved${writer}/${name}`));
      rig.unexpect(`w${writer}/${name}`);
    }
  }));
  await until(async () => {
    const rows = await rig.installation.history();
    const done = new Set(
      rows.filter(({ state, target }) => state === "delivered" && target.startsWith("moved")).map(({ target }) => target),
    );
    return done.size === 20 && rows.every(({ state }) => state === "delivered" || state === "failed");
  }, "twenty moved files are delivered");
  const rows = await rig.installation.history();
  assertEquals(await daemon.stop(), 0);
  // Those that were seen before their folder moved are gone.
  const gone = rows.filter(({ error }) => error?.code === "source_gone").map(({ target }) => target);
  await rig.allIsWell(rows, { listed: gone });
});
