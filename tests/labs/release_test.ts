import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { release } from "../build/release.ts";
import { type Target, TARGETS } from "../build/permissions.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { command, lab } from "./lab.ts";

const denort = lab("denort.sh");
const ARM: Target = "aarch64-unknown-linux-gnu";

/** The lab's base runtimes, where `release()` looks for them. */
async function haveRuntimes(): Promise<void> {
  // Other than the time of the commit, this does not change while the test runs.
  Deno.env.set("SOURCE_DATE_EPOCH", "1800000000");
  for (const target of TARGETS) {
    const { code, stdout, stderr } = await command("bash", [denort!, target]);
    assertEquals(code, 0, stderr);
    Deno.env.set(`DENORT_BIN_${target.toUpperCase().replaceAll("-", "_")}`, stdout.trim());
  }
}

Deno.test("a release", { ignore: denort === null || !has("qemu") }, async (t) => {
  await using dist = await tempFolder();
  await haveRuntimes();
  const made = await release(TARGETS, dist.path);

  await t.step("has a program and an archive for all five targets, each as its system wants it", async () => {
    for (const target of TARGETS) {
      const program = dist.at(target, target.includes("windows") ? "image-transfer.exe" : "image-transfer");
      const magic = [...(await Deno.readFile(program)).subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(
        "",
      );
      const wanted = target.includes("linux") ? "7f454c46" : target.includes("darwin") ? "cffaedfe" : "4d5a";
      assert(magic.startsWith(wanted), `${target}: ${magic}`);
      assertEquals(made.filter((name) => name.includes(`-${target}.`)).length, 1);
    }
  });

  await t.step("SHA256SUMS is right for every file", async () => {
    const { code, stderr } = await command("sh", ["-c", 'cd "$0" && sha256sum --check --strict --quiet SHA256SUMS', dist.path]);
    assertEquals(code, 0, stderr);
  });

  await t.step("archives hold what they should, and are read by tar and unzip", async () => {
    const listed = async (end: string) => {
      const archive = dist.at(made.find((name) => name.endsWith(end))!);
      const { code, stdout, stderr } = await command(end === ".zip" ? "python3" : "tar", [
        ...(end === ".zip" ? ["-m", "zipfile", "--test"] : ["-tzf"]),
        archive,
      ]);
      assertEquals(code, 0, stderr);
      return stdout + (end === ".zip" ? (await command("python3", ["-m", "zipfile", "--list", archive])).stdout : "");
    };
    const common = ["README.md", "LICENSE", "service/image-transfer.service", "completions/image-transfer.fish"];
    const [tar, zip] = [await listed(`${ARM}.tar.gz`), await listed(".zip")];
    for (const name of [...common, "/image-transfer\n", "/image-transfer-service\n"]) assertStringIncludes(tar, name);
    for (const name of [...common, "/image-transfer.exe ", "/image-transfer-service.cmd "]) assertStringIncludes(zip, name);
  });

  await t.step("the bill of materials names what is in the program, and nothing that only tests use", async () => {
    const bill = JSON.parse(await dist.read(made.find((name) => name.endsWith(".cdx.json"))!));
    const names = bill.components.map(({ name }: { name: string }) => name);
    for (const name of ["deno", "zod", "yaml", "@logtape/logtape", "preact"]) assert(names.includes(name), name);
    for (const name of ["playwright-core", "fast-check", "axe-core"]) assert(!names.includes(name), name);
  });

  await t.step("made again, it is the same byte by byte", async () => {
    await using again = await tempFolder();
    await release([ARM], again.path);
    for (const name of [`${ARM}/image-transfer`, made.find((name) => name.includes(ARM))!]) {
      assertEquals((await command("cmp", [dist.at(name), again.at(name)])).stdout, "");
    }
  });

  await t.step("install.sh installs it, and refuses an archive that was changed", async () => {
    const install = (prefix: string) =>
      command("sh", [dist.at("install.sh"), dist.path, "", "x86_64-unknown-linux-gnu"], { PREFIX: dist.at(prefix) });
    const { code, stdout, stderr } = await install("good");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "Installed image-transfer ");
    const service = await command(dist.at("good/bin/image-transfer-service"), ["status", "--name", "not-there"]);
    assertEquals(service.code, 4, service.stderr);
    const archive = dist.at(made.find((name) => name.endsWith("x86_64-unknown-linux-gnu.tar.gz"))!);
    using file = await Deno.open(archive, { write: true, append: true });
    await file.write(new Uint8Array(1));
    const changed = await install("bad");
    assertEquals(changed.code, 1);
    assertStringIncludes(changed.stderr, "nothing was installed");
    assertEquals((await command("ls", [dist.at("bad")])).code, 2);
  });

  await t.step("the arm64 program delivers", async () => {
    await Deno.mkdir(dist.at("images"));
    const content = fitsFile(200_000, 7);
    await Deno.writeFile(dist.at("images/m31.fits"), content);
    const config = {
      watch_path: dist.at("images"),
      remote_base_path: dist.at("arrived"),
      transfer_method: "local",
      web: false,
    };
    await dist.write("config.yaml", JSON.stringify(config));
    const { code, stderr } = await command(
      "qemu-aarch64",
      ["-L", "/usr/aarch64-linux-gnu", dist.at(ARM, "image-transfer"), "--once", "-c", dist.at("config.yaml")],
      { HOME: dist.path },
    );
    assertEquals(code, 0, stderr);
    assertEquals(await Deno.readFile(dist.at("arrived/m31.fits")), content);
  });
});
