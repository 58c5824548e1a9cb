/** `retry`, `verify` and `sync` of files that are named by path, folder or pattern, with a real daemon and real folders. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { choosing } from "../../src/commands/text/chosen_files.ts";
import { dataToNas } from "../support/daemon_process.ts";

const SYSTEM = {
  linux: { home: "/home/ann", separator: "/", platform: "linux" },
  windows: { home: "C:\\Users\\Ann", separator: "\\", platform: "windows" },
} as const;

for (
  const [on, cwd, word, absolutePath, path, means] of [
    ["linux", "/data", "m31.fits", "/data/m31.fits", "m31.fits", true],
    ["linux", "/data", "./m31.fits", "/data/m31.fits", "m31.fits", true],
    ["linux", "/data", "../other/m31.fits", "/other/m31.fits", "m31.fits", true],
    ["linux", "/elsewhere", "m31.fits", "/data/n/m31.fits", "n/m31.fits", true],
    ["linux", "/elsewhere", "20261120", "/data/20261120/a.fits", "20261120/a.fits", true],
    ["linux", "/elsewhere", "20261120/", "/data/20261120/a.fits", "20261120/a.fits", true],
    ["linux", "/elsewhere", "2026112", "/data/20261120/a.fits", "20261120/a.fits", false],
    ["linux", "/data", "~/x", "/home/ann/x/a.fits", "a.fits", true],
    ["linux", "/elsewhere", "*.FITS", "/data/n/a.fits", "n/a.fits", true],
    ["linux", "/elsewhere", "n/*.fits", "/data/n/a.fits", "n/a.fits", true],
    ["linux", "/elsewhere", "n/*.fits", "/data/n/deep/a.fits", "n/deep/a.fits", false],
    ["linux", "/elsewhere", "/data/**/a*", "/data/n/deep/a.fits", "n/deep/a.fits", true],
    ["linux", "/data/n", "deep/*", "/data/n/deep/a.fits", "n/deep/a.fits", true],
    ["linux", "/elsewhere", "a", "/data/ab.fits", "ab.fits", false],
    ["linux", "/elsewhere", "a[1].fits", "/data/a[1].fits", "a[1].fits", true],
    ["windows", "C:\\data", "N\\A.fits", "C:\\data\\n\\a.fits", "n/a.fits", true],
    ["windows", "D:\\", "C:/data/n", "C:\\data\\n\\a.fits", "n/a.fits", true],
    ["windows", "D:\\", "n\\*.fits", "C:\\data\\n\\a.fits", "n/a.fits", true],
    ["windows", "C:\\data\\n", "..\\n\\a.fits", "C:\\data\\n\\a.fits", "n/a.fits", true],
  ] as const
) {
  Deno.test(`${word} in ${cwd} means ${means ? "" : "not "}${absolutePath}`, () => {
    const tools = { cwd, system: SYSTEM[on] } as unknown as Parameters<typeof choosing>[1];
    assertEquals(choosing(word, tools)({ path, absolutePath }), means);
  });
}

const installed = (changes: Record<string, unknown>) => dataToNas({ file_patterns: ["*.txt"], ...changes });

Deno.test("retry and verify take files and patterns; a word that names nothing changes nothing", async () => {
  const { folder, program } = await installed({ on_conflict: "fail" });
  await using _folder = folder;
  for (const name of ["n/a.txt", "n/b.txt", "c.txt"]) {
    await folder.write(`data/${name}`, name);
    await folder.write(`nas/${name}`, "taken");
  }
  await folder.write("data/d.txt", "good");
  assertEquals((await program.command(["run", "--once"])).code, 1);
  for (const name of ["n/a.txt", "n/b.txt", "c.txt"]) await Deno.remove(folder.at("nas", name));
  const states = async () => (await program.history()).map(({ state }) => state).sort().join(" ");

  const unknown = await program.command(["retry", "n/*.txt", "nowhere/*.txt"]);
  assertEquals([unknown.code, unknown.stderr.split("\n")[0]], [2, 'No delivery of "nowhere/*.txt" is known']);
  assertEquals(await states(), "delivered failed failed failed");
  const some = await program.command(["retry", "--json", "n/*.txt", "d.txt"]);
  assertEquals([some.code, JSON.parse(some.stdout)], [0, { queued: 2 }]);
  assertEquals(await states(), "delivered failed queued queued");
  const nothing = await program.command(["retry", folder.at("data/d.txt")]);
  assertEquals([nothing.code, nothing.stderr.startsWith("Nothing to retry")], [0, true]);
  assertEquals((await program.command(["run", "--once"])).code, 1);
  assertEquals(await states(), "delivered delivered delivered failed");

  await Deno.remove(folder.at("nas/n/a.txt"));
  await Deno.remove(folder.at("nas/d.txt"));
  const verified = await program.command(["verify", "--retry", "--json", folder.at("data/n")]);
  assertEquals(verified.code, 1);
  assertEquals(JSON.parse(verified.stdout).map((one: Record<string, string>) => [one["target"], one["verdict"]]).sort(), [
    ["n/a.txt", "missing"],
    ["n/b.txt", "equal"],
  ]);
  assertEquals(await states(), "delivered delivered failed queued");
  assertEquals((await program.command(["verify", "zebra"])).code, 2);
  assertStringIncludes((await program.command(["verify", "d.txt"])).stderr, "image-transfer verify d.txt --retry");
});

Deno.test("sync of a file runs its job and retries it; what is sent by no job is an error that says why", async () => {
  const { folder, program } = await installed({ schedule: "manual", on_conflict: "fail" });
  await using _folder = folder;
  await folder.write("data/n/a.txt", "alpha");
  await folder.write("data/m31.nef", "raw");
  await folder.write("nas/n/a.txt", "taken");
  await using _daemon = await program.start();
  const sync = async (...words: string[]) => await program.command(["sync", ...words]);
  const first = await sync(folder.at("data/n"));
  assertEquals([first.code, first.stderr], [0, "Scanning for new files: default\n"]);
  await program.until(([row]) => row?.state === "failed");
  await program.untilLog(/Run of job default ended/);
  const retried = await program.command(["retry", "n/a.txt"]);
  assertEquals(
    retried.stderr.replace(/^1 delivery queued for retry.\nNothing is sent to local yet: /, ""),
    "sends on request only (schedule: manual): image-transfer sync sends now.\n",
  );
  await sync();
  await program.until(([row]) => row?.state === "failed");
  await Deno.remove(folder.at("nas/n/a.txt"));
  assertEquals(JSON.parse((await sync("--json", folder.at("data/n/a.txt"))).stdout), { jobs: ["default"], retried: 1 });
  await program.until(([row]) => row?.state === "delivered");
  assertStringIncludes((await sync("*.TXT")).stderr, "Already delivered: 1 delivery of *.TXT");
  const fault = async (word: string) => {
    const { code, stderr } = await sync(word);
    return [code, stderr.split("\n")[0]];
  };
  assertEquals(await fault(folder.at("data/m31.nef")), [
    2,
    `"${folder.at("data/m31.nef")}" is not sent: it does not match the patterns of job default`,
  ]);
  assertEquals(await fault(folder.at("nas")), [2, `No job watches "${folder.at("nas")}"`]);
  assertEquals(await fault("defualt"), [2, 'Unknown job "defualt"; did you mean "default"?']);
  assertEquals(await fault("n/nothing.txt").then(([code]) => code), 2);
});
