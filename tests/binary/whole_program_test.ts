/** The whole program as it is released: what is embedded in it, and what it may start. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { build } from "../build/build.ts";
import { everyDelivered, makeRig } from "../faults/rig.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("binary: the whole program", async (test) => {
  await using folder = await tempFolder();
  const program = await build({ output: folder.at("image-transfer"), check: false });
  const former = Deno.env.get("IMAGE_TRANSFER_BINARY");
  Deno.env.set("IMAGE_TRANSFER_BINARY", program);
  try {
    await test.step("the page, its files and previews are served, and open prints an address that leads there", page);
    await test.step(
      "run gives back what its configuration does not need, and says after a reload that it must be restarted",
      givenBack,
    );
    for (const [method, files] of [["local", 112], ["rsync", 128]] as const) {
      await test.step({
        name: `only ${files} file descriptors (${method}): nothing is lost, and it never ends by itself`,
        ignore: !has("root") || (method !== "local" && !has("sshd", "rsync")),
        fn: () => fewDescriptors(method, files),
      });
    }
  } finally {
    if (former === undefined) Deno.env.delete("IMAGE_TRANSFER_BINARY");
    else Deno.env.set("IMAGE_TRANSFER_BINARY", former);
  }
});

const LOCAL = { transfer_method: "local", minimum_free_space_gb: 0, copy_safety_margin_gb: 0 };

async function page(): Promise<void> {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  const installed = await install(folder.path, {
    ...LOCAL,
    watch_path: folder.at("data"),
    remote_base_path: folder.at("nas"),
    web: { listen: "127.0.0.1:0" },
  });
  await using daemon = await installed.start();
  const { stdout } = await installed.command(["open", "--print"]);
  const address = new URL(stdout.trim());
  // Its output is a file or a pipe here, which others may read.
  assertEquals([daemon.output().includes(address.host), daemon.output().includes("token=")], [true, false]);
  const login = await fetch(address, { redirect: "manual" });
  await login.body?.cancel();
  const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0]!;
  const ask = async (path: string) => {
    const answer = await fetch(`${address.origin}${path}`, { headers: { cookie } });
    return { status: answer.status, type: answer.headers.get("content-type"), bytes: await answer.bytes() };
  };
  for (const path of ["/", "/assets/page.js", "/assets/page.css", "/assets/icon.svg"]) {
    const { status, bytes } = await ask(path);
    assertEquals([path, status, bytes.length > 100], [path, 200, true]);
  }
  await folder.write("data/a.fits", fitsFile(100_000));
  await installed.until((rows) => rows[0]?.state === "delivered");
  const preview = await ask("/api/preview/1.png");
  assertEquals([preview.status, preview.type], [200, "image/png"]);
  assertEquals(await daemon.stop(), 0);
}

async function givenBack(): Promise<void> {
  await using folder = await tempFolder();
  // Programs that tell that they were started.
  for (const name of ["rclone", "image-transfer-hook"]) {
    await folder.write(`bin/${name}`, `#!/bin/sh\necho started >> '${folder.at(name)}'\nexit 1\n`);
    await Deno.chmod(folder.at("bin", name), 0o755);
  }
  const isStarted = async (name: string) =>
    (await Array.fromAsync(Deno.readDir(folder.path))).some((entry) => entry.name === name);
  await Deno.mkdir(folder.at("data"));
  const before = { ...LOCAL, watch_path: folder.at("data"), remote_base_path: folder.at("nas"), auto_reload: false };
  const installed = await install(folder.path, before, { PATH: `${folder.at("bin")}:${Deno.env.get("PATH")}` });
  await folder.write("data/a.fits", fitsFile(10_000));
  {
    await using daemon = await installed.start();
    await installed.until((rows) => rows[0]?.state === "delivered");
    const config = JSON.parse(await Deno.readTextFile(installed.configFile));
    const next = {
      ...config,
      destinations: [{ name: "store", transfer_method: "rclone", remote: "store", remote_base_path: "images" }],
      hooks: [{ on: ["ready"], command: ["image-transfer-hook", "{path}"] }],
    };
    for (const key of ["transfer_method", "remote_base_path"]) delete next[key];
    await Deno.writeTextFile(installed.configFile, JSON.stringify(next));
    assertEquals((await installed.command(["reload"])).code, 0);
    await folder.write("data/b.fits", fitsFile(10_000));
    await installed.untilLog(/Restart image-transfer to use rclone, image-transfer-hook/);
    await installed.untilLog(/Cannot start ".*image-transfer-hook": nothing needed it when image-transfer started/);
    await installed.untilLog(/store.*Cannot start ".*rclone": nothing needed it when image-transfer started/);
    assertStringIncludes((await installed.command(["status"])).stdout.replaceAll(/\s+/g, " "), "Restart image-transfer: its");
    assertEquals([await isStarted("rclone"), await isStarted("image-transfer-hook")], [false, false]);
    assertEquals(await daemon.stop(), 0);
  }
  await using daemon = await installed.start();
  await folder.write("data/c.fits", fitsFile(10_000));
  while (!await isStarted("rclone") || !await isStarted("image-transfer-hook")) await new Promise((done) => setTimeout(done, 50));
  assertEquals(await daemon.stop(), 0);
}

/** Of the compiled program only: Deno itself panics where it cannot open a file to compile TypeScript. */
async function fewDescriptors(method: "local" | "rsync", files: number): Promise<void> {
  await using rig = await makeRig({ method, config: { min_file_age_seconds: 0.2, rescan_interval: 2 } });
  await using daemon = await rig.installation.start({ through: ["prlimit", `--nofile=${files}`] });
  for (let i = 0; i < 300; i++) await rig.expose(`n${i % 40}/${i}.fits`, 6000);
  const rows = await rig.installation.until(everyDelivered(300), 60);
  assertEquals(await daemon.stop(), 0);
  assertEquals(rows.length, 300);
  await rig.allIsWell(rows);
}
