/**
 * A destination that leads back into a watched folder, by whatever way: it holds before anything is copied, and says where it
 * leads. Chains of jobs that end elsewhere are left alone. Two computers that send to each other are stopped by the paths.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import { install, type Installation } from "../support/daemon_process.ts";
import { needs } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { everyDelivered, needsFor, tool, unmounting } from "./rig.ts";

const SMALL = { minimum_free_space_gb: 0, copy_safety_margin_gb: 0, debounce_ms: 200, retry_delay: 1 };

/** A way back: what is done beforehand, and the base path that leads to the folder `camera` or into it. */
interface WayBack {
  readonly name: string;
  readonly base: string;
  readonly root?: true;
  prepare(folder: TempFolder): Promise<unknown>;
}

const WAYS: readonly WayBack[] = [
  { name: "a folder in it", base: "camera/out", prepare: (folder) => Deno.mkdir(folder.at("camera/out")) },
  { name: "a folder in it that is not there yet", base: "camera/new/out", prepare: () => Promise.resolve() },
  { name: "a symlink to it", base: "link", prepare: (folder) => Deno.symlink(folder.at("camera"), folder.at("link")) },
  {
    name: "a symlink above a folder that is not there yet",
    base: "link/out/deeper",
    prepare: (folder) => Deno.symlink(folder.at("camera"), folder.at("link")),
  },
  {
    name: "a bind mount of a folder in it",
    base: "mount",
    root: true,
    async prepare(folder) {
      await Deno.mkdir(folder.at("camera/out"));
      await Deno.mkdir(folder.at("mount"));
      await tool("mount", "--bind", folder.at("camera/out"), folder.at("mount"));
    },
  },
  { name: "the folder above it", base: "link", prepare: (folder) => Deno.symlink(folder.path, folder.at("link")) },
];

for (const method of ["local", "rsync", "sftp without a shell"] as const) {
  for (const { name, base, root, prepare } of WAYS) {
    // What is written in plain words is refused with the configuration.
    if (method === "local" && base.startsWith("camera")) continue;
    Deno.test(
      `a destination that is ${name} (${method}): it holds, nothing is copied`,
      needsFor(method, ...root ? ["root" as const] : []),
      async () => {
        await using folder = await tempFolder();
        await Deno.mkdir(folder.at("camera/night"), { recursive: true });
        await using _mounted = unmounting(folder.at("mount"));
        await prepare(folder);
        await using server = method === "local" ? null : await startSshd({ sftpOnly: method === "sftp without a shell" });
        const installation = await install(folder.path, {
          ...SMALL,
          watch_path: folder.at("camera"),
          destinations: [{
            name: "nas",
            transfer_method: method === "local" || method === "rsync" ? method : "sftp",
            remote_base_path: folder.at(base),
            ...(server === null ? {} : { remote_host: server.host }),
          }],
        }, server?.env ?? {});
        await using daemon = await installation.start();
        await Deno.writeFile(folder.at("camera/night/a.fits"), fitsFile(30_000, 1));
        await installation.untilLog(/Destination nas is on hold: .*leads back to the watched folder/);
        await installation.until((rows) => rows.length === 1);
        await new Promise((resolve) => setTimeout(resolve, 500));
        assertEquals((await installation.history()).map(({ state }) => state), ["queued"]);
        assertEquals(await images(folder.at("camera")), ["night/a.fits"]);
        const status = JSON.parse((await installation.command(["status", "--json"])).stdout);
        assertMatch(status.destinations[0].reason, /remote_base_path or watch_path/);
        assertEquals(await daemon.stop(), 0);
        assertEquals(await stagingIn(folder.path), []);
      },
    );
  }
}

Deno.test("two jobs that lead to each other behind symlinks hold; a chain that ends elsewhere delivers, also after a reload", async () => {
  await using folder = await tempFolder();
  for (const name of ["a", "b", "end"]) await Deno.mkdir(folder.at(name));
  for (const name of ["a", "b"]) await Deno.symlink(folder.at(name), folder.at(`to-${name}`));
  const chain = [
    { name: "first", watch_path: folder.at("a"), destinations: [local("one", folder.at("to-b"))] },
    { name: "second", watch_path: folder.at("b"), destinations: [local("two", folder.at("end"))] },
  ];
  const back = { name: "third", watch_path: folder.at("end"), destinations: [local("three", folder.at("to-a/in"))] };
  const installation = await install(folder.path, { ...SMALL, jobs: chain });
  await using daemon = await installation.start();
  await Deno.writeFile(folder.at("a/x.fits"), fitsFile(30_000, 1));
  await installation.until(everyDelivered(2));
  assertEquals(await images(folder.at("end")), ["x.fits"]);

  const before = (await installation.log()).length;
  await Deno.mkdir(folder.at("a/in"));
  await change(installation, { ...SMALL, jobs: [...chain, back] });
  // Of the destinations of a loop, the one whose search ends last holds; until then, a file may have gone round once.
  await installation.untilLog(/Destination (one|two|three) is on hold: .*leads back .* through the job/, before);
  await Deno.writeFile(folder.at("a/y.fits"), fitsFile(30_000, 2));
  await installation.until((rows) => rows.some(({ target, state }) => target === "y.fits" && state === "queued"));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assertEquals((await images(folder.at("a"))).filter((name) => name.startsWith("in/in/")), []);

  await change(installation, { ...SMALL, jobs: chain });
  await Deno.writeFile(folder.at("a/z.fits"), fitsFile(30_000, 3));
  await installation.until((rows) =>
    rows.some(({ target, destination, state }) => `${target} ${destination} ${state}` === "z.fits two delivered")
  );
  assertEquals((await images(folder.at("a"))).filter((name) => !name.startsWith("in/")), ["x.fits", "y.fits", "z.fits"]);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a reload that watches the folder of a destination which is open: the destination holds", async () => {
  await using folder = await tempFolder();
  for (const name of ["a", "b"]) await Deno.mkdir(folder.at(name));
  await Deno.symlink(folder.at("b"), folder.at("to-b"));
  await Deno.symlink(folder.at("a"), folder.at("to-a"));
  const first = { name: "first", watch_path: folder.at("a"), destinations: [local("one", folder.at("to-b"))] };
  const second = { name: "second", watch_path: folder.at("b"), destinations: [local("two", folder.at("to-a/in"))] };
  const installation = await install(folder.path, { ...SMALL, jobs: [first] });
  await using daemon = await installation.start();
  await Deno.writeFile(folder.at("a/x.fits"), fitsFile(30_000, 1));
  await installation.until(everyDelivered(1));
  const before = (await installation.log()).length;
  await change(installation, { ...SMALL, jobs: [first, second] });
  await installation.untilLog(/Destination (one|two) is on hold: .*through the job/, before);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert((await images(folder.at("a"))).length <= 2, (await images(folder.at("a"))).join());
  assertEquals(await daemon.stop(), 0);
});

Deno.test("two installations that send to each other, a folder deeper each time: the paths stop the job", async () => {
  await using folder = await tempFolder();
  for (const name of ["a", "b", "one", "two"]) await Deno.mkdir(folder.at(name));
  const one = await install(folder.at("one"), {
    ...SMALL,
    watch_path: folder.at("a"),
    destinations: [local("b", folder.at("b"))],
  });
  const two = await install(folder.at("two"), {
    ...SMALL,
    watch_path: folder.at("b"),
    destinations: [local("a", folder.at("a/out"))],
  });
  await using first = await one.start();
  await using second = await two.start();
  await Deno.writeFile(folder.at("a/x.fits"), fitsFile(30_000, 1));
  await one.untilLog(/Destination b is on hold: .*came back/, 0, 60);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const found = await images(folder.at("a"));
  assert(found.length <= 5, found.join());
  const status = JSON.parse((await one.command(["status", "--json"])).stdout);
  assertEquals(status.destinations[0].state, "on_hold");
  assertMatch(status.destinations[0].reason, /came back.*remove the copies/);
  // A person says that the cause is gone, and it is.
  await second.stop();
  await Deno.remove(folder.at("a/out"), { recursive: true });
  await Deno.remove(folder.at("b/out"), { recursive: true });
  await Deno.writeFile(folder.at("a/y.fits"), fitsFile(30_000, 2));
  assertEquals((await one.command(["resume", "b"])).code, 0);
  await one.until((rows) => rows.some(({ target, state }) => target === "y.fits" && state === "delivered"));
  assertEquals(await first.stop(), 0);
});

Deno.test("a destination in a part of the watched folder that is excluded is no loop", needs("sshd"), async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("camera/sent"), { recursive: true });
  await using server = await startSshd();
  const installation = await install(folder.path, {
    ...SMALL,
    watch_path: folder.at("camera"),
    exclude_patterns: ["sent"],
    transfer_method: "sftp",
    remote_host: server.host,
    remote_base_path: folder.at("camera/sent"),
  }, server.env);
  await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
  const { code, stderr } = await installation.command(["run", "--once"]);
  assertEquals(code, 0, stderr);
  assertEquals(await images(folder.at("camera")), ["a.fits", "sent/a.fits"]);
});

Deno.test("doctor names a destination that leads back to the watched folder, and leaves nothing there", async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("camera"));
  await Deno.symlink(folder.at("camera"), folder.at("link"));
  const installation = await install(folder.path, {
    ...SMALL,
    watch_path: folder.at("camera"),
    destinations: [local("nas", folder.at("link/out"))],
  });
  const { code, stdout } = await installation.command(["doctor"]);
  assertEquals(code, 1);
  assertMatch(stdout.replaceAll(/\s+/g, " "), /leads back to the watched folder/);
  assertEquals(await stagingIn(folder.path), []);
});

Deno.test("a tree whose folders have the same names is no loop, however deep it is copied there", async () => {
  await using folder = await tempFolder();
  const deep = ["2026", "2026/2026", "2026/2026/2026", "2026/2026/2026/2026"];
  await Deno.mkdir(folder.at("camera", deep.at(-1)!), { recursive: true });
  const now = new Date();
  for (const name of deep) {
    await Deno.writeFile(folder.at("camera", name, "flat.fits"), fitsFile(30_000, 1));
    await Deno.utime(folder.at("camera", name, "flat.fits"), now, now);
  }
  const installation = await install(folder.path, {
    ...SMALL,
    watch_path: folder.at("camera"),
    destinations: [local("nas", folder.at("nas"))],
  });
  const { code, stderr } = await installation.command(["run", "--once"]);
  assertEquals(code, 0, stderr);
  assertEquals(await images(folder.at("nas")), deep.map((name) => `${name}/flat.fits`).sort());
});

function local(name: string, base: string): Record<string, string> {
  return { name, transfer_method: "local", remote_base_path: base };
}

async function change(installation: Installation, config: Record<string, unknown>): Promise<void> {
  const now = JSON.parse(await Deno.readTextFile(installation.configFile));
  await Deno.writeTextFile(installation.configFile, JSON.stringify({ ...now, ...config }));
  assertEquals((await installation.command(["reload"])).code, 0);
}

/** The FITS files below a folder, relative and sorted. */
async function images(folder: string): Promise<string[]> {
  const found = await tool("find", folder, "-name", "*.fits", "-not", "-path", "*/.image-transfer-*", "-printf", "%P\\n");
  return found.trim().split("\n").sort();
}

async function stagingIn(folder: string): Promise<string[]> {
  return (await tool("find", folder, "-name", ".image-transfer-*")).split("\n").filter((line) => line !== "");
}
