/** The demo as a newcomer runs it: its last line, and an exit code that can be trusted. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { install, type ProcessResult } from "../../support/daemon_process.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

/** Runs the demo to its end; `meanwhile` is handed its folder. */
async function demo(
  folder: TempFolder,
  words: readonly string[],
  meanwhile?: (demo: string) => Promise<void>,
): Promise<ProcessResult> {
  const { command } = await install(folder.path, {});
  const args = ["demo", "--folder", folder.at("demo"), ...words];
  const [result] = await Promise.all([command(args, { TMPDIR: folder.path }), meanwhile?.(folder.at("demo"))]);
  return result;
}

/** The four numbers of the last line, which is all that goes to standard output. */
function numbers({ stdout }: ProcessResult): number[] {
  const found = /^written (\d+), delivered (\d+), proven (\d+), lost (\d+)\n$/.exec(stdout);
  assert(found, stdout);
  return found.slice(1).map(Number);
}

/** The first image below a folder, as soon as one is there. */
async function firstImage(folder: string): Promise<string> {
  while (true) {
    const { value } = await walkImages(folder).next();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function* walkImages(folder: string): AsyncGenerator<string> {
  if (!await Deno.stat(folder).then(() => true, () => false)) return;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && !name.startsWith(".")) yield* walkImages(`${folder}/${name}`);
    else if (name.endsWith(".fits")) yield `${folder}/${name}`;
  }
}

Deno.test("demo delivers all that its camera writes, says so in its last line, and exits 0", async () => {
  await using folder = await tempFolder();
  const result = await demo(folder, ["--for", "3s", "--every", "500ms"]);
  const [written, delivered, proven, lost] = numbers(result);
  assert(written! >= 3, result.stderr);
  assertEquals([result.code, delivered, proven, lost], [0, written, written, 0], result.stderr);
  assertMatch(result.stderr, /✓ \d{8}\/M31_R_0001\.fits .* verified/);
});

Deno.test("demo without a folder leaves nothing behind", async () => {
  await using folder = await tempFolder();
  const { command } = await install(folder.path, {});
  const before = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name).sort();
  const result = await command(["demo", "--for", "1s", "--every", "500ms"], { TMPDIR: folder.path });
  assertEquals([result.code, numbers(result)[3]], [0, 0]);
  assertEquals((await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name).sort(), before);
});

Deno.test("demo works in a folder that nobody else can foresee or look into", async () => {
  await using folder = await tempFolder();
  const { command } = await install(folder.path, {});
  const modeOf = async () => {
    for (;;) {
      for await (const { name } of Deno.readDir(folder.path)) {
        if (name.startsWith("image-transfer-demo-")) return [name, (await Deno.stat(folder.at(name))).mode! & 0o777] as const;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const [[name, mode]] = await Promise.all([modeOf(), command(["demo", "--for", "1s"], { TMPDIR: folder.path })]);
  assertMatch(name, /-[0-9a-f]{8}$/);
  if (Deno.build.os !== "windows") assertEquals(mode, 0o700);
});

for (
  const [what, harm] of [
    ["gone from", (path: string) => Deno.remove(path)],
    ["changed at", (path: string) => Deno.writeTextFile(path, "x", { append: true })],
  ] as const
) {
  Deno.test(`demo counts an image that is ${what} its destination as lost, and exits 1`, async () => {
    await using folder = await tempFolder();
    const result = await demo(folder, ["--for", "4s", "--every", "500ms"], async (place) => {
      await harm(await firstImage(`${place}/archive`));
    });
    const [written, delivered, proven, lost] = numbers(result);
    assertEquals([result.code, delivered, proven, lost], [1, written! - 1, written, 1], result.stderr);
  });
}

Deno.test("demo --faults loses nothing while its camera pauses and its destination goes away", async () => {
  await using folder = await tempFolder();
  const result = await demo(folder, ["--faults", "--for", "20s", "--every", "1s"]);
  const [written, delivered, proven, lost] = numbers(result);
  assertEquals([result.code, delivered, proven, lost], [0, written, written, 0], result.stderr);
  for (const told of [/paused for 4 s/, /renamed/, /disappears for 4 s/, /destination is available again/]) {
    assertMatch(result.stderr, told);
  }
});
