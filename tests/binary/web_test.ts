/**
 * The page and its Worker are embedded in the binary.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { build } from "../build/build.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("binary: the page, its files and previews are served, and open prints an address that leads there", async () => {
  await using folder = await tempFolder();
  const program = await build({ output: folder.at("image-transfer"), check: false });
  const former = Deno.env.get("IMAGE_TRANSFER_BINARY");
  Deno.env.set("IMAGE_TRANSFER_BINARY", program);
  try {
    await Deno.mkdir(folder.at("data"));
    const installed = await install(folder.path, {
      watch_path: folder.at("data"),
      transfer_method: "local",
      remote_base_path: folder.at("nas"),
      minimum_free_space_gb: 0,
      copy_safety_margin_gb: 0,
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
  } finally {
    if (former === undefined) Deno.env.delete("IMAGE_TRANSFER_BINARY");
    else Deno.env.set("IMAGE_TRANSFER_BINARY", former);
  }
});
